"""Who makes a call: a member as policies write it, and the short names by which our own accounts are called.

Source of the forms: IAM's "Principal identifiers".
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fonderie.core.errors import BadInputError

ENVIRONMENTS = Path(__file__).parents[3] / "infra" / "environments"
ACCOUNTS = ("plan", "apply", "builder", "pipelines", "monitoring", "serving", "scheduler", "retrain", "nodes")
PEOPLE = ("person", "engineer", "oncall")
_MEMBER = re.compile(r"(serviceAccount|user|principal):\S+")


@dataclass(frozen=True)
class Caller:
    """Somebody who calls: `serviceAccount:EMAIL`, `user:EMAIL`, or a federated `principal://...`."""

    member: str
    # Of a token from elsewhere, by their mapped names: `attribute.repository`. Of a person: `groups`, with blanks.
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def email(self) -> str:
        """The e-mail of an account or a person; of anybody else the whole member."""
        kind, _, name = self.member.partition(":")
        return name if kind in ("serviceAccount", "user") else self.member

    @property
    def is_person(self) -> bool:
        """Whether it is a person's own credential, for which some APIs want a quota project."""
        return self.member.startswith("user:") and "quota_project" not in self.attributes


ANYONE = Caller("anyone")  # nothing is checked
ANONYMOUS = Caller("allUsers")
PERSON = Caller("user:person@example.com")  # owns every project and administers every billing account
# The same where nobody was named: of a project of somebody else's we know nothing but that its owner works on it.
OWNER = Caller(PERSON.member, {"quota_project": "set"})


@dataclass(frozen=True)
class KnownEnvironment:
    """One of our environments: its name, its project's id and number, and who its `[people]` are by short name."""

    name: str
    project: str
    number: int | None
    people: Mapping[str, str] = field(default_factory=dict, hash=False)


@cache
def environments(folder: Path = ENVIRONMENTS) -> tuple[KnownEnvironment, ...]:
    """Our environments, whose accounts have short names; a file that cannot be read is left to the synthesis."""
    known = []
    for file in sorted(folder.glob("*.toml")):
        try:
            settings = tomllib.loads(file.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError:
            continue
        number = settings.get("project_number")
        team = settings.get("people", {})
        lists = {"engineer": team.get("engineers"), "oncall": team.get("oncall")}
        people = {alias: str(members[0]) for alias, members in lists.items() if members}
        known.append(
            KnownEnvironment(
                file.stem, str(settings.get("project_id")), number if isinstance(number, int) else None, people
            )
        )
    return tuple(known)


def caller_in(project: str | None, name: str, *, chosen: bool) -> Caller:
    """Who `name` is in a project; unless it was chosen, the owner in a project that is none of ours.

    Raises BadInputError as `identity` does.
    """
    ours = project is not None and any(environment.project == project for environment in environments())
    return identity(name, project or "") if chosen or ours else OWNER


def check_name(alias: str) -> None:
    """Raises BadInputError for what is neither a short name nor a member."""
    if alias not in (*ACCOUNTS, *PEOPLE, ANYONE.member) and not _MEMBER.fullmatch(alias):
        known = ", ".join((*ACCOUNTS, *PEOPLE, ANYONE.member))
        raise BadInputError(
            f"unknown identity {alias!r}", where="--as", hint=f"known: {known}; or a member, such as user:EMAIL"
        )


def identity(alias: str, project: str) -> Caller:
    """Who `alias` means in a project: `apply` is `serviceAccount:dev-apply@...` where the environment dev has it.

    A full member, and `anyone`, are taken as they are. Raises BadInputError for an unknown name, and for an account's
    name in a project that is not one environment's.
    """
    check_name(alias)
    if alias == ANYONE.member:
        return ANYONE
    if _MEMBER.fullmatch(alias):
        return Caller(alias)
    if alias in PEOPLE:
        return _person(alias, project)
    names = [environment.name for environment in environments() if environment.project == project]
    if len(names) != 1:
        why = "belongs to none of our environments" if not names else f"belongs to {' and '.join(names)}"
        raise BadInputError(
            f"identity {alias!r} is not known in project {project!r}: it {why}",
            where="--as",
            hint="name the account in full: serviceAccount:EMAIL",
        )
    return Caller(f"serviceAccount:{names[0]}-{alias}@{project}.iam.gserviceaccount.com")


def _person(alias: str, project: str) -> Caller:
    """The first of an environment's `[people]`, or a user in that group; without any, in a group that holds nothing."""
    if alias == "person":
        return PERSON
    named = [
        environment.people[alias]
        for environment in environments()
        if environment.project == project and alias in environment.people
    ]
    kind, _, email = (named[0] if named else f"group:{alias}s@example.com").partition(":")
    return Caller(named[0]) if kind == "user" else Caller(f"user:{alias}@example.com", {"groups": email})
