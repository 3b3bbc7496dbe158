"""From what Terraform sends to a request: which object it is about, under which path."""

from __future__ import annotations

from collections.abc import Mapping

from fonderie.sandbox.lifecycle import object_references
from fonderie.sandbox.lifecycle.computed import Filler
from fonderie.sandbox.lifecycle.faults import InjectedError
from fonderie.sandbox.lifecycle.interface import ApiError, ProviderConfig, State
from fonderie.sandbox.lifecycle.world import Request, World, noun
from fonderie.sandbox.rules import serviceusage


def request_for(world: World, type: str, state: State, provider: ProviderConfig, *, read: bool = False) -> Request:
    """The request; `read` takes what the state's `id` says for what attributes do not say."""
    names, state = world.names, dict(state)
    values = names.values(type, state, provider)
    if read and isinstance(identity := state.get("id"), str):
        values = {**names.parse(type, identity), **values}
    if type == "google_service_account" and "account_id" in values:
        values.setdefault("email", f"{values['account_id']}@{values['project']}.iam.gserviceaccount.com")
    for hole in names.missing(type, values):
        values[hole] = _server_made(world, hole, type, values)
    return Request(world, type, state, values, provider, names.path(type, values))


def api_is_on(world: World, type: str, state: State, provider: ProviderConfig, *, verb: str = "creating") -> None:
    """Raises ApiError when the API of a type is off."""
    values = world.names.values(type, state, provider)
    serviceusage.check_enabled(world, type, values.get("project", ""), verb)


def references_are_there(request: Request, verb: str) -> None:
    """Raises ApiError for the first thing that a resource refers to and that is not there."""
    if (lost := object_references.missing(request)) is not None:
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


def _not_found(lost: object_references.Reference) -> tuple[int, str, str]:
    if lost.type == "google_service_account":
        return 400, f"Service account {lost.path.rsplit('/', 1)[-1]} does not exist.", "badRequest"
    if lost.type.startswith("google_compute_"):
        return 404, f"The resource '{lost.path}' was not found", "notFound"
    return 404, f"Resource not found (resource={lost.path}).", "notFound"
