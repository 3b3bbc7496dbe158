"""From an import id to the attributes it names.

The forms are the import formats among the facts; where a type takes its id unparsed (`accepts any`), the forms below.
Source: the recorded imports in `fonderie/sandbox/provider/behaviours.json`.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from fonderie.sandbox.lifecycle.interface import ApiError, ProviderConfig, State
from fonderie.sandbox.lifecycle.resource_paths import placeholders
from fonderie.sandbox.lifecycle.world import World

_FORMS: dict[str, tuple[str, ...]] = {
    "google_kms_crypto_key": (
        r"^(?P<key_ring>projects/[^/]+/locations/[^/]+/keyRings/[^/]+)/cryptoKeys/(?P<name>[^/]+)$",
        r"^(?P<project>[^/]+)/(?P<_location>[^/]+)/(?P<_ring>[^/]+)/(?P<name>[^/]+)$",
        r"^(?P<_location>[^/]+)/(?P<_ring>[^/]+)/(?P<name>[^/]+)$",
    ),
    "google_secret_manager_secret_version": (
        r"^(?P<secret>projects/[^/]+/secrets/[^/]+)/versions/(?P<version>[^/]+)$",
    ),
    "google_logging_metric": (r"^(?P<project>[^ /]+) (?P<name>[^ ]+)$", r"^(?P<name>[^/ ]+)$"),
    "google_logging_project_sink": (r"^projects/(?P<project>[^/]+)/sinks/(?P<name>[^/]+)$",),
    "google_logging_project_exclusion": (r"^projects/(?P<project>[^/]+)/exclusions/(?P<name>[^/]+)$",),
    "google_logging_project_bucket_config": (
        r"^projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/buckets/(?P<bucket_id>[^/]+)$",
    ),
    "google_project_service": (r"^(?P<project>[^/]+)/(?P<service>[^/]+)$",),
    "google_project": (r"^(?:projects/)?(?P<project_id>[^/]+)$",),
    "google_compute_project_metadata": (r"^(?P<project>[^/]+)$",),
    "google_service_networking_connection": (r"^(?P<network>.+):(?P<service>[^:]+)$",),
    "google_storage_bucket": (r"^(?P<project>[a-z0-9-]+)/(?P<name>[^/]+)$", r"^(?P<name>[^/]+)$"),
    "google_storage_notification": (r"^(?P<bucket>[^/]+)/notificationConfigs/(?P<notification_id>[^/]+)$",),
    "google_sql_user": (
        r"^(?P<project>[^/]+)/(?P<instance>[^/]+)/(?P<host>[^/]*)/(?P<name>[^/]+)$",
        r"^(?P<project>[^/]+)/(?P<instance>[^/]+)/(?P<name>[^/]+)$",
    ),
    "google_compute_network_peering": (r"^(?P<project>[^/]+)/(?P<network>[^/]+)/(?P<name>[^/]+)$",),
}


def parse(world: World, type: str, id: str, provider: ProviderConfig) -> State:
    """What an import id says of a resource. Raises ApiError for an id of no form, or a type that has no import."""
    facts = world.facts.type(type)
    if not facts.imports:
        raise ApiError.because(
            "resource " + type + " doesn't support import", "This type cannot be imported; it can only be created anew."
        )
    forms = _FORMS.get(type) or tuple(form for form in facts.import_formats if "(?P<" in form)
    for form in forms:
        if match := re.search(form, id):
            return _attributes(
                world, type, {name: unquote(value) for name, value in match.groupdict().items()}, provider
            )
    if not forms:
        return _by_template(world, type, id)
    if type in ("google_storage_bucket", "google_logging_metric"):  # takes its id unparsed, and finds nothing
        return {"name": quote(id, safe="")}
    raise ApiError.because(
        f'Import id "{id}" doesn\'t match any of the accepted formats: [{" ".join(facts.import_formats or forms)}]'
    )


def _attributes(world: World, type: str, found: dict[str, str], provider: ProviderConfig) -> State:
    if "_ring" in found:
        project = found.get("project") or provider.project
        place = f"projects/{project}/locations/{found.pop('_location')}"
        found = {"key_ring": f"{place}/keyRings/{found.pop('_ring')}", "name": found["name"]}
    if type == "google_service_networking_connection" and "/" not in found["network"]:
        found["network"] = f"projects/{provider.project}/global/networks/{found['network']}"
    known = world.facts.type(type).attributes
    state: State = {name: value for name, value in found.items() if name in known}
    server_made = placeholders(world.names.path_template(type))[-1:]
    if server_made and server_made[0].startswith("server_"):
        state["id"] = _with_server_name(world, type, list(found.values())[-1], found, provider)
    return state


def _with_server_name(world: World, type: str, name: str, found: dict[str, str], provider: ProviderConfig) -> str:
    values = world.names.values(type, found, provider)
    holes = placeholders(world.names.id_template(type))
    if any(hole not in values and not hole.startswith("server_") for hole in holes):
        return name
    return world.names.id(type, {**values, holes[-1]: name})


def _by_template(world: World, type: str, id: str) -> State:
    """An id that is taken unparsed: it is the `id`, and says what its template asks for."""
    return {"id": id, **{name: value for name, value in world.names.parse(type, id).items() if "server_" not in name}}
