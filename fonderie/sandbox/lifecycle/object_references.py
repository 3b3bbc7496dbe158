"""Which objects a resource refers to, and whether they are there.

Nothing is written type by type. A value that has the form of another type's path refers to an object of that type;
an attribute that is called as a type is (`network`, `feature_group`) refers to one by its short name; a path lies
within its parent's; an e-mail of a project's service accounts refers to the account. `UNCHECKED` lists what Google
takes without looking. Source of the exceptions: the services' API references and `docs/sandbox.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fonderie.sandbox.lifecycle.interface import State
from fonderie.sandbox.lifecycle.resource_paths import Names, iam_parent
from fonderie.sandbox.lifecycle.world import Request, World
from fonderie.sandbox.provider.facts import Facts

_ACCOUNT = re.compile(r"^[\w.-]+@([a-z0-9:.-]+)\.iam\.gserviceaccount\.com$")
UNCHECKED = frozenset(
    {
        ("google_logging_project_sink", "destination"),  # a sink to nowhere is made, and reports errors later
        ("google_vertex_ai_schedule", "create_pipeline_job_request.parent"),
        ("google_cloud_scheduler_job", "http_target.uri"),
        ("google_compute_firewall", "source_service_accounts"),
        ("google_compute_firewall", "target_service_accounts"),
        ("google_monitoring_uptime_check_config", "monitored_resource.labels"),
        ("google_storage_bucket", "logging.log_bucket"),
        ("google_service_networking_connection", "service"),
        ("google_project_service", "service"),
        ("google_gke_hub_feature", "name"),
    }
)
_NEVER = frozenset({"id", "self_link", "name", "member", "members", "email", "labels", "terraform_labels"})


@dataclass(frozen=True)
class Reference:
    """`attribute` of a resource names an object of `type` at `path`."""

    attribute: str
    type: str
    path: str


@dataclass(frozen=True)
class Subject:
    """A resource that refers to others: its attributes, what its templates are filled with, its canonical path."""

    type: str
    state: State
    values: Mapping[str, str]
    path: str


def references(request: Request) -> list[Reference]:
    """Everything that a resource refers to, parents first."""
    cloud = request.world.cloud
    subject = Subject(request.type, request.state, request.values, request.path)
    return references_of(subject, request.world.names, ours=lambda project: project in cloud.projects())


def references_of(subject: Subject, names: Names, *, ours: Callable[[str], bool]) -> list[Reference]:
    """The same without a cloud; `ours` tells whether a project is one whose service accounts can be looked up."""
    references = [Reference("", type, above) for above, type in names.parents(subject.path)]
    if not iam_parent(subject.type):
        for attribute, value in _configured(names.facts, subject.type, subject.state):
            if (subject.type, attribute) not in UNCHECKED:
                references += _named(subject, names, ours, attribute, value)
    return [reference for reference in dict.fromkeys(references) if reference.path != subject.path]


def missing(request: Request) -> Reference | None:
    """The first reference to something that is not there."""
    for one in references(request):
        if not exists(request.world, one.type, one.path):
            return one
    return None


def exists(world: World, type: str, path: str) -> bool:
    """Whether an object of that path is there; what lies in a project that is none of ours always is."""
    project = path.split("/")[1] if path.startswith("projects/") else ""
    if project and project not in world.cloud.projects():
        return True
    types = world.names.types_of(path) or (type,)
    candidates = [type, *(one for one in types if one != type)]
    return any(world.there(one, path) for one in candidates) or _given(world, type, path)


def _given(world: World, type: str, path: str) -> bool:
    """What exists without having been made: the default network, aliases of secret versions."""
    if type == "google_compute_network":
        return path.endswith("/networks/default")
    if type == "google_secret_manager_secret_version" and path.endswith("/latest"):
        return bool(world.cloud.things(type, under=path.removesuffix("/latest")))
    return False


def _configured(facts: Facts, type: str, state: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text in a state that a person may have written, with the path of its attribute."""
    attributes = facts.type(type).attributes

    def walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
        match value:
            case str() if value:
                yield path, value
            case list():
                for one in value:
                    yield from walk(one, path)
            case dict():
                for name, one in value.items():
                    below = f"{path}.{name}" if path else name
                    fact = attributes.get(below)
                    if below not in _NEVER and (fact is None or fact.required or fact.optional):
                        yield from walk(one, below if fact else path)

    yield from walk(state, "")


def _named(subject: Subject, names: Names, ours: Callable[[str], bool], attribute: str, value: str) -> list[Reference]:
    if len(value) > 512 or any(mark in value for mark in " \n{}\"'"):
        return []
    path = names.canonical(value)
    if types := names.types_of(path):
        account = path.split("/")[-1]
        if "google_service_account" in types and not (match := _ACCOUNT.match(account)):
            return []
        if "google_service_account" in types and path.startswith("projects/-/"):
            path = f"projects/{match[1]}/serviceAccounts/{account}" if match else path
        return [Reference(attribute, _preferred(subject.type, types), path)]
    if match := _ACCOUNT.match(value):
        if ours(match[1]):
            return [Reference(attribute, "google_service_account", f"projects/{match[1]}/serviceAccounts/{value}")]
        return []
    last = attribute.rsplit(".", 1)[-1]
    kind = names.reference(subject.type, last)
    if kind and kind != subject.type and "/" not in value and "@" not in value:
        values = {**subject.values, **_beside(subject, attribute)}
        if not names.missing(kind, {**values, "name": value}):
            return [Reference(attribute, kind, names.refer(kind, value, values))]
    return []


def _beside(subject: Subject, attribute: str) -> dict[str, str]:
    """What stands beside an attribute in its block and says more of the place: project, region, location."""
    value: Any = subject.state
    for part in attribute.split(".")[:-1]:
        value = value[0] if isinstance(value, list) and value else value
        value = value.get(part) if isinstance(value, dict) else None
    value = value[0] if isinstance(value, list) and value else value
    if not isinstance(value, dict):
        return {}
    places = ("project", "project_id", "region", "location")
    found = {name.removesuffix("_id"): value[name] for name in places if isinstance(value.get(name), str)}
    return {name: place for name, place in found.items() if place}


def _preferred(type: str, types: Any) -> str:
    service = "_".join(type.split("_")[:2])
    return next((one for one in types if one.startswith(service)), str(types[0]))
