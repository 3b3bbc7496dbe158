"""Every recorded call put to the policies of the synthesised stacks: what is refused, and what nothing needs.

The calls are the provider's (recorded) and our own code's (`tests/data/google/own_calls.json`, read from the code by
hand); the policies are read from the stacks and from Google's role definitions, not from the tables that made them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from fonderie.core.google_iam import methods, predefined_roles, provider_calls
from fonderie.core.resource_types import resource_type
from infra import names
from infra.access.access_table import AccessGrant, grants, short_name
from infra.access.roles import NOT_NEEDED
from infra.names import IdentityName
from infra.settings import Environment, load_environment
from infra.synthesised import Resource, SynthesisedStack

OWN_CALLS = Path(__file__).parents[3] / "data" / "google" / "own_calls.json"
PROJECT = "the project"
BILLING = "the billing account"


@dataclass(frozen=True)
class Need:
    """A permission that somebody needs on a target, and the call that asks for it."""

    who: str  # as in a policy
    permission: str
    target: str  # as the access table names it: the project, a bucket, an account's id
    why: str

    def __str__(self) -> str:
        return f"{self.who} needs {self.permission} on {self.target}: {self.why}"


@dataclass(frozen=True)
class Holding:
    """A permission that a grant gives."""

    who: str
    permission: str
    target: str


class Policies:
    """What the stacks of one environment grant to identities of ours and to people."""

    def __init__(self, env: Environment, stacks: Sequence[SynthesisedStack]) -> None:
        self.env, self.stacks = env, stacks
        self.custom = {
            str(one.values["role_id"]): tuple(one.values["permissions"])
            for stack in stacks
            for one in stack.resources
            if one.type == "google_project_iam_custom_role"
        }
        ours = re.compile(rf"serviceAccount:[\w-]+@{env.project_id}\.iam\.gserviceaccount\.com|(group|user):.*")
        self.grants = [grant for grant in grants(stacks) if ours.fullmatch(grant.identity)]

    def permissions(self, grant: AccessGrant) -> frozenset[str]:
        """What a grant's role holds."""
        name = short_name(grant.role)
        if name in self.custom:
            return frozenset(self.custom[name])
        return predefined_roles()[grant.role]

    def holdings(self, *, without: AccessGrant | None = None, less: tuple[str, str] = ("", "")) -> set[Holding]:
        """Everything that is held, `without` a grant, or with a permission `less` of a custom role."""
        return {
            Holding(grant.identity, permission, grant.target.partition("@")[0])
            for grant in self.grants
            if grant is not without
            for permission in self.permissions(grant)
            if (short_name(grant.role), permission) != less
        }

    def refused(self, needs: Iterable[Need], holdings: set[Holding]) -> list[Need]:
        """The needs that nothing meets, on the target or in the whole project."""
        return [
            need
            for need in needs
            if Holding(need.who, need.permission, need.target) not in holdings
            and Holding(need.who, need.permission, PROJECT) not in holdings
        ]

    # -- what is needed

    @cached_property
    def needs(self) -> list[Need]:
        """All that this environment's stacks and code lead to."""
        return [*self._provider(), *self._own()]

    def _provider(self) -> Iterator[Need]:
        plan, apply = (names.member(self.env, who) for who in (IdentityName.PLAN, IdentityName.APPLY))
        readers = [plan, *self.env.people.engineers]
        for stack in self.stacks:
            written = not stack.name.endswith("-bootstrap")
            data = [f"data.{name}" for name in stack.others.get("data", {})]
            for name in data:
                for who in [*readers, *([apply] if written else [])]:
                    yield from self._of(who, name, Resource(name, "x", "x", {}), ("read",))
            for resource in stack.resources:
                for reader in readers:
                    yield from self._of(reader, resource.type, resource, ("read",))
                if written:
                    yield from self._of(apply, resource.type, resource, ("read", "create", "update", "delete"))

    def _of(self, who: str, type: str, resource: Resource, actions: tuple[str, ...]) -> Iterator[Need]:
        for action in actions:
            for call in provider_calls()[type].get(action, ()):
                for permission in methods()[call.method].permissions:
                    why = f"{action} of {resource.address} calls {call.method}"
                    for target in self._targets(permission, type, action, resource):
                        yield Need(who, permission, target, why)

    def _targets(self, permission: str, type: str, action: str, resource: Resource) -> list[str]:
        """Where a permission is asked for; nowhere when the stacks never lead to it."""
        if permission.startswith("billing."):
            return []  # on the billing account, by a person: no policy of ours
        if permission.startswith("storage.objects."):
            if type == "google_storage_bucket_object" and permission not in NOT_NEEDED:
                return [names.bucket(self.env, names.BucketName.TEMPLATES)]
            emptied = bool(resource.values.get("force_destroy")) and action == "delete"
            return [PROJECT] if emptied and not permission.endswith("IamPolicy") else []
        if permission in NOT_NEEDED:
            return []
        if permission == "iam.serviceAccounts.actAs":
            return sorted(set(_attached(resource.values)))
        return [PROJECT]

    def _own(self) -> Iterator[Need]:
        people = {"engineer": self.env.people.engineers, "oncall": self.env.people.oncall}
        if self.env.budget:
            plan = names.member(self.env, IdentityName.PLAN)
            yield Need(plan, "serviceusage.services.use", PROJECT, "the provider of the budget names the project")
        for who in (*self.env.people.engineers, *self.env.people.oncall):
            yield Need(who, "serviceusage.services.use", PROJECT, "a person's calls are counted against our project")
        for row in _own_calls():
            if self.env.images.registry and row["identity"] == "builder":
                continue  # builds in the environment that owns the registry
            if not self.env.git.connected and ("secret:" in row["resource"] or "git.connected" in row.get("when", "")):
                continue
            if not self.env.features.continuous_training and row["identity"] == "retrain":
                continue
            if row["resource"] == "repository:images" and self.env.images.registry:
                continue  # granted by the environment that owns the registry
            members = people.get(row["identity"])
            for who in members if members is not None else [names.member(self.env, IdentityName(row["identity"]))]:
                for permission in row["permissions"]:
                    yield Need(who, permission, self._target(row["resource"]), row["method"])

    def _target(self, resource: str) -> str:
        kind, _, name = resource.partition(":")
        match kind:
            case "project":
                return PROJECT
            case "bucket":
                return names.bucket(self.env, names.BucketName(name))
            case "account":
                return names.account_id(self.env, IdentityName(name))
            case "dataset":
                return names.dataset(self.env, names.DatasetName(name))
            case "secret":
                return names.secret(self.env, names.SecretName(name))
            case "repository":
                return names.images(self.env)
            case "topic":
                return names.topic(self.env, name)
        raise ValueError(resource)


@cache
def _own_calls() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(OWN_CALLS.read_text(encoding="utf-8"))
    return rows


def _attached(value: Any) -> Iterator[str]:
    """The ids of the accounts that a resource runs as, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in ("service_account", "service_account_email") and isinstance(inner, str):
                yield short_name(inner).partition("@")[0]
            else:
                yield from _attached(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _attached(inner)


def policies_of(name: str, stacks: Iterable[SynthesisedStack]) -> Policies:
    """Those of one environment."""
    return Policies(load_environment(name), [stack for stack in stacks if stack.environment == name])


def unneeded_grants(policies: Policies) -> list[str]:
    """Grants without which every call is still allowed."""
    needs = policies.needs
    found = []
    for grant in policies.grants:
        kept = policies.holdings(without=grant)
        own = [need for need in needs if need.who == grant.identity]
        if not policies.refused(own, kept):
            found.append(f"{grant.identity}: {grant.role} on {resource_type(grant.target_type).word} {grant.target}")
    return found
