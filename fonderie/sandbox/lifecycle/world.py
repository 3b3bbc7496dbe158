"""What the apply side works with: the cloud, what is known of its types, and one request at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fonderie.sandbox.cloud.buckets import Buckets
from fonderie.sandbox.cloud.clock import Clock
from fonderie.sandbox.cloud.cloud import Cloud, CloudObject, ObjectStatus
from fonderie.sandbox.iam.access import AccessControl, CallLog, agent_role_note
from fonderie.sandbox.lifecycle.faults import Faults
from fonderie.sandbox.lifecycle.interface import ApiError, ProviderConfig, State
from fonderie.sandbox.lifecycle.resource_paths import Names, prefix_and_noun
from fonderie.sandbox.lifecycle.settling import Settling
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import ProviderSchema


@dataclass
class World:
    """One run of the stand-in over one cloud file."""

    cloud: Cloud
    schema: ProviderSchema
    facts: Facts
    clock: Clock = field(default_factory=Clock)
    established: bool = False  # every API is on, and what was named but never made here exists elsewhere
    settling: Settling = field(default_factory=Settling)
    propagation_s: float = 0.0  # after which a grant, an enabled API and a log metric take effect
    calls: CallLog | None = None  # is told what every call needed

    @cached_property
    def names(self) -> Names:
        """How the types are named."""
        return Names(self.facts, self.cloud.number_of, self.cloud.project_of)

    @cached_property
    def buckets(self) -> Buckets:
        """The folders of the buckets."""
        return Buckets(self.cloud.file)

    @cached_property
    def access(self) -> AccessControl:
        """Who may do what."""
        return AccessControl(self.cloud, self.clock, self.propagation_s, self.calls)

    @cached_property
    def faults(self) -> Faults:
        """What goes wrong on purpose."""
        return Faults.of(self.cloud, self.clock)

    def note_making(self, path: str) -> None:
        """Note when something was made that takes effect late."""
        if self.propagation_s:
            self.cloud.set_note(f"made:{path}", str(self.clock.now().timestamp()))

    def in_effect(self, path: str) -> bool:
        """Whether what was made there has taken effect."""
        made_s = self.cloud.note(f"made:{path}") if self.propagation_s else None
        return made_s is None or float(made_s) + self.propagation_s <= self.clock.now().timestamp()

    def there(self, type: str, path: str) -> bool:
        """Whether an object exists for others: made, settled, not deleted; on an established project also what was
        never heard of."""
        if self.settling.being_made(path):
            return self.established
        found = self.cloud.get(type, path)
        return found.status is ObjectStatus.LIVE if found else self.established


@dataclass
class ObjectRequest:
    """One thing Terraform wants done to one object: what rules look at."""

    world: World
    type: str
    state: State  # as planned; for a deletion as it was
    values: dict[str, str]  # for templates
    provider: ProviderConfig
    path: str
    prior: State | None = None  # of an update
    thing: CloudObject | None = None  # the object as it is in the cloud, for updates, reads and deletions
    extra: dict[str, Any] = field(default_factory=dict)  # computed values that a rule knows better
    made: set[str] = field(default_factory=set)  # what else the request makes: service agents

    @property
    def cloud(self) -> Cloud:
        """The cloud, in the transaction of the request."""
        return self.world.cloud

    @property
    def project(self) -> str:
        """The project of the object."""
        return self.values.get("project", "")

    @property
    def number(self) -> int:
        """The number of that project."""
        return self.cloud.number_of(self.project)

    @property
    def fresh(self) -> bool:
        """Whether the rules of a fresh project hold."""
        return not self.world.established

    def make_agent(self, email: str, role: str = "") -> None:
        """A service agent comes into being with this request, and Google grants it `role` in its project."""
        if not self.cloud.has_agent(email):
            self.cloud.add_agent(email)
            self.made.add(email)
            if role:
                self.cloud.set_note(agent_role_note(email), str(self.world.clock.now().timestamp()))

    def error(self, code: int, message: str, reason: str = "", *, verb: str = "creating") -> ApiError:
        """What the provider prints when Google answers `code`."""
        return google_error(self.type, verb, code, message, reason)


def noun(type: str) -> str:
    """What the provider calls a type in its messages: `google_pubsub_topic` is a Topic."""
    words = prefix_and_noun(type)[1].split("_")
    return "".join(word.capitalize() for word in words)


def google_error(type: str, verb: str, code: int, message: str, reason: str = "") -> ApiError:
    """`Error creating Topic: googleapi: Error 409: Resource already exists..., alreadyExists`."""
    ending = f", {reason}" if reason else ""
    return ApiError.because(f"Error {verb} {noun(type)}: googleapi: Error {code}: {message}{ending}")


def text(state: Mapping[str, Any], *names: str) -> str:
    """The first of these attributes that is a text with something in it."""
    return next((state[name] for name in names if isinstance(state.get(name), str) and state[name]), "")


def block(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The first block of a name; an empty one when there is none."""
    found = state.get(name)
    return found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}
