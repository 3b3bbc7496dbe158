"""From what Terraform sends to a request: which object it is about, and which others it refers to.

References are not written type by type. A value that has the form of another type's path refers to an object of that
type; an attribute that is called as a type is (`network`, `feature_group`) refers to one by its short name; a path lies
within its parent's; an e-mail of a project's service accounts refers to the account. `UNCHECKED` lists what Google
takes without looking. Source of the exceptions: the services' API references and `docs/sandbox.md`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fonderie.sandbox.lifecycle.computed import Filler
from fonderie.sandbox.lifecycle.faults import InjectedError
from fonderie.sandbox.lifecycle.interface import ApiError, ProviderConfig, State
from fonderie.sandbox.lifecycle.resource_paths import Names, iam_parent
from fonderie.sandbox.lifecycle.world import ObjectRequest, World, noun
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.rules import serviceusage


def request_for(
    world: World, type: str, state: State, provider: ProviderConfig, *, read: bool = False
) -> ObjectRequest:
    """The request; `read` takes what the state's `id` says for what attributes do not say."""
    names, state = world.names, dict(state)
    values = names.values(type, state, provider)
    if read and isinstance(identity := state.get("id"), str):
        values = {**names.parse(type, identity), **values}
    if type == "google_service_account" and "account_id" in values:
        values.setdefault("email", f"{values['account_id']}@{values['project']}.iam.gserviceaccount.com")
    for hole in names.missing(type, values):
        values[hole] = _server_made(world, hole, type, values)
    return ObjectRequest(world, type, state, values, provider, names.path(type, values))


def api_is_on(world: World, type: str, state: State, provider: ProviderConfig, *, verb: str = "creating") -> None:
    """Raises ApiError when the API of a type is off."""
    values = world.names.values(type, state, provider)
    serviceusage.check_enabled(world, type, values.get("project", ""), verb)


def references_are_there(request: ObjectRequest, verb: str) -> None:
    """Raises ApiError for the first thing that a resource refers to and that is not there."""
    if (lost := missing(request)) is not None:
        raise request.error(*_not_found(lost), verb=verb)


def call(world: World, type: str, verb: str, request: str) -> None:
    """One request to Google, with its faults."""
    try:
        world.faults.call(request)
    except InjectedError as error:
        raise ApiError.because(f"Error {verb} {noun(type)}: {error}") from error


def _server_made(world: World, hole: str, type: str, values: Mapping[str, str]) -> str:
    """A name that Google gives: numbers and UUIDs; versions of a secret are counted."""
    if type == "google_secret_manager_secret_version":
        return str(world.cloud.count(f"versions of {values.get('secret', '')}"))
    count = world.cloud.count("server-made")
    shape = {"server_uuid": {"uuid": 1}, "server_hex": {"hex": 40}}.get(hole, {"digits": 18})
    if type == "google_storage_notification":
        return str(count)
    return str(Filler(type, f"server/{count}", {}, world.clock).make(shape, (hole,)))


def _not_found(lost: Reference) -> tuple[int, str, str]:
    if lost.type == "google_service_account":
        return 400, f"Service account {lost.path.rsplit('/', 1)[-1]} does not exist.", "badRequest"
    if lost.type.startswith("google_compute_"):
        return 404, f"The resource '{lost.path}' was not found", "notFound"
    return 404, f"Resource not found (resource={lost.path}).", "notFound"


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
        ("google_gke_hub_feature_membership", "membership"),  # a cluster's, which is made with it: a rule looks
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
class Referrer:
    """A resource that refers to others: its attributes, what its templates are filled with, its canonical path."""

    type: str
    state: State
    values: Mapping[str, str]
    path: str


def references(request: ObjectRequest) -> list[Reference]:
    """Everything that a resource refers to, parents first."""
    cloud = request.world.cloud
    subject = Referrer(request.type, request.state, request.values, request.path)
    return references_of(subject, request.world.names, ours=lambda project: project in cloud.projects())


def references_of(subject: Referrer, names: Names, *, ours: Callable[[str], bool]) -> list[Reference]:
    """The same without a cloud; `ours` tells whether a project is one whose service accounts can be looked up."""
    references = [Reference("", type, above) for above, type in names.parents(subject.path)]
    if not iam_parent(subject.type):
        for attribute, value in _configured(names.facts, subject.type, subject.state):
            if (subject.type, attribute) not in UNCHECKED:
                references += _named(subject, names, ours, attribute, value)
    return [reference for reference in dict.fromkeys(references) if reference.path != subject.path]


def missing(request: ObjectRequest) -> Reference | None:
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


def _named(subject: Referrer, names: Names, ours: Callable[[str], bool], attribute: str, value: str) -> list[Reference]:
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


def _beside(subject: Referrer, attribute: str) -> dict[str, str]:
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
