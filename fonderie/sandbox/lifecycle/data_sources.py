"""Data sources: what a configuration looks up instead of making it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fonderie.sandbox.cloud.cloud import CloudObject
from fonderie.sandbox.iam.caller import ANYONE
from fonderie.sandbox.lifecycle import permissions, refresh
from fonderie.sandbox.lifecycle.computed import Filler
from fonderie.sandbox.lifecycle.interface import UNKNOWN, ApiError, ProviderConfig, State
from fonderie.sandbox.lifecycle.world import World, noun
from fonderie.sandbox.rules import agents

_ME = "sandbox@example.com"  # where nobody in particular calls
_GKE_VERSIONS = ("1.33.4-gke.1172000", "1.32.8-gke.1134000", "1.31.12-gke.1018000")


@dataclass(frozen=True)
class DataSourceRequest:
    """One reading of a data source."""

    world: World
    config: State
    provider: ProviderConfig


def read_data(world: World, type: str, config: State, provider: ProviderConfig) -> State:
    """`config` with its computed attributes. Raises ApiError for what is not there, or may not be read."""
    permissions.demand_data(world, type, _path(world, type, config, provider), provider)
    state = {**config}
    if type in _SPECIAL:
        state |= _SPECIAL[type](DataSourceRequest(world, config, provider))
    elif type in world.facts.raw["types"]:
        state |= _of_resource(world, type, config, provider)
    kind = world.schema.data_source(type).block.type
    open_ones = {name: UNKNOWN for name, value in state.items() if value is None and not _optional(world, type, name)}
    values = {name: value for name, value in state.items() if isinstance(value, str)}
    return Filler(type, str(state.get("id")), values, world.clock).fill({**state, **open_ones}, kind)


def _path(world: World, type: str, config: State, provider: ProviderConfig) -> str:
    """What the reading of a data source is judged on: the object, or the project."""
    values = world.names.values(type if type in world.facts.raw["types"] else "", config, provider)
    if type in _SPECIAL or type not in world.facts.raw["types"] or world.names.missing(type, values):
        return f"projects/{config.get('project_id') or values.get('project', '')}"
    return world.names.path(type, values)


def _optional(world: World, type: str, name: str) -> bool:
    attribute = world.schema.data_source(type).block.attributes.get(name)
    return attribute is None or not attribute.computed or attribute.optional


def _of_resource(world: World, type: str, config: State, provider: ProviderConfig) -> State:
    """The data source of a resource type shows its attributes."""
    values = world.names.values(type, config, provider)
    if type == "google_service_account" and "@" not in values.get("account_id", ""):
        values["email"] = f"{values.get('account_id')}@{values['project']}.iam.gserviceaccount.com"
    elif type == "google_service_account":
        values["email"] = values["account_id"].rsplit("/", 1)[-1]
    if type == "google_secret_manager_secret_version":
        return _secret_version(DataSourceRequest(world, config, provider))
    path = world.names.path(type, values)
    found = world.cloud.live(type, path)
    if found is None and not world.established:
        raise ApiError.because(f"{path} not found", f"There is no such {noun(type)} in project {values['project']}.")
    known = world.schema.data_source(type).block
    shown = _shown(found) if found else {}
    named: State = {name: values[name] for name in ("email", "project") if name in known.attributes and name in values}
    state = {name: value for name, value in shown.items() if name in known.attributes}
    return {**state, "id": world.names.id(type, values), **named}


def _shown(found: CloudObject) -> State:
    """A data source shows all labels."""
    shown = dict(found.attributes)
    for name in refresh.WRITTEN[:3]:
        if name in shown and "effective_labels" in shown:
            shown[name] = shown["effective_labels"]
    return shown


def _secret_version(request: DataSourceRequest) -> State:
    secret = request.world.names.refer(
        "google_secret_manager_secret",
        str(request.config.get("secret")),
        request.world.names.values("", request.config, request.provider),
    )
    wanted = str(request.config.get("version") or "latest")
    versions = request.world.cloud.things("google_secret_manager_secret_version", under=secret)
    found = [one for one in versions if wanted in ("latest", one.path.rsplit("/", 1)[-1])]
    if not found:
        raise ApiError.because(
            "Error retrieving available secret manager secret versions: googleapi: Error 404: "
            f"Secret [{secret}] not found or has no versions., notFound"
        )
    attributes = found[-1].attributes
    shown = ("name", "version", "create_time", "destroy_time", "enabled", "secret_data")
    return {"id": attributes["id"], **{name: attributes.get(name) for name in shown}}


def _client_config(request: DataSourceRequest) -> State:
    place = {"project": request.provider.project, "region": request.provider.region, "zone": request.provider.zone}
    identity = "projects/{project}/regions/{region}/zones/{zone}".format_map({k: v or "" for k, v in place.items()})
    return {"id": identity, **place, "access_token": "sandbox", "default_labels": dict(request.provider.default_labels)}


def _userinfo(request: DataSourceRequest) -> State:
    caller = request.provider.caller
    email = _ME if caller == ANYONE else caller.email
    return {"id": email, "email": email}


def _zones(request: DataSourceRequest) -> State:
    region = request.config.get("region") or request.provider.region or ""
    project = request.config.get("project") or request.provider.project or ""
    names = [f"{region}-{letter}" for letter in "abc"]
    return {"id": f"projects/{project}/regions/{region}", "names": names, "project": project, "region": region}


def _engine_versions(request: DataSourceRequest) -> State:
    channels = dict.fromkeys(("RAPID", "REGULAR", "STABLE"), _GKE_VERSIONS[0])
    return {
        "id": request.world.clock.timestamp(),
        "default_cluster_version": _GKE_VERSIONS[0],
        "latest_master_version": _GKE_VERSIONS[0],
        "latest_node_version": _GKE_VERSIONS[0],
        "valid_master_versions": list(_GKE_VERSIONS),
        "valid_node_versions": list(_GKE_VERSIONS),
        "release_channel_default_version": channels,
        "release_channel_latest_version": channels,
    }


def _iam_policy(request: DataSourceRequest) -> State:
    bindings = []
    for binding in request.config.get("binding") or []:
        one: dict[str, Any] = {"role": binding["role"], "members": sorted(binding.get("members") or [])}
        if binding.get("condition"):
            one["condition"] = binding["condition"][0]
        bindings.append(one)
    policy = json.dumps({"bindings": sorted(bindings, key=lambda one: str(one["role"]))}, separators=(",", ":"))
    return {"id": str(zlib.crc32(policy.encode())), "policy_data": policy}


def _project(request: DataSourceRequest) -> State:
    project = request.config.get("project_id") or request.provider.project or ""
    number = request.world.cloud.number_of(project)
    found = request.world.cloud.live("google_project", f"projects/{project}")
    shown = _shown(found) if found else {"name": project}
    known = request.world.schema.data_source("google_project").block.attributes
    state = {name: value for name, value in shown.items() if name in known}
    return {**state, "id": f"projects/{project}", "project_id": project, "number": str(number)}


def _storage_agent(request: DataSourceRequest) -> State:
    """Asking for the agent of Cloud Storage makes it."""
    project = request.config.get("project") or request.provider.project or ""
    email = agents.email("storage.googleapis.com", request.world.cloud.number_of(project))
    request.world.cloud.add_agent(email)
    return {"id": email, "email_address": email, "member": f"serviceAccount:{email}", "project": project}


def _docker_image(request: DataSourceRequest) -> State:
    """Images are not kept here: any image of a registry that is there is found, under a digest of its name."""
    values = request.world.names.values("google_artifact_registry_docker_image", request.config, request.provider)
    repository = request.world.names.refer(
        "google_artifact_registry_repository",
        str(request.config.get("repository_id")),
        {**values, "location": str(request.config.get("location"))},
    )
    if not request.world.there("google_artifact_registry_repository", repository):
        raise ApiError.because(f"Error: Requested Artifact Registry repository {repository} not found")
    name = f"{repository}/dockerImages/{request.config.get('image_name')}"
    return {"id": name, "name": name}


_SPECIAL: dict[str, Callable[[DataSourceRequest], State]] = {
    "google_artifact_registry_docker_image": _docker_image,
    "google_client_config": _client_config,
    "google_client_openid_userinfo": _userinfo,
    "google_compute_zones": _zones,
    "google_container_engine_versions": _engine_versions,
    "google_iam_policy": _iam_policy,
    "google_project": _project,
    "google_storage_project_service_account": _storage_agent,
}
