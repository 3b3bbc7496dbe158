"""Objects of the cloud: made, changed, removed.

Driven by the facts (`behaviours.json`, `id_templates.json`, `computed.json`, `names.json`); what they cannot say is in
`rules/`. An object is kept as the attributes that Terraform's state has of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonderie.sandbox.cloud.cloud import CloudObject, ObjectStatus
from fonderie.sandbox.lifecycle import object_requests, permissions, refresh
from fonderie.sandbox.lifecycle.computed import CHANGES_ON_UPDATE, Filler
from fonderie.sandbox.lifecycle.interface import (
    UNKNOWN,
    ApiError,
    ApplyResult,
    Diagnostic,
    DiagnosticSeverity,
    ProviderConfig,
    State,
)
from fonderie.sandbox.lifecycle.refresh import read_back
from fonderie.sandbox.lifecycle.resource_paths import placeholders
from fonderie.sandbox.lifecycle.settling import RequestEffects
from fonderie.sandbox.lifecycle.world import ObjectRequest, World, google_error, noun
from fonderie.sandbox.rules import serviceusage
from fonderie.sandbox.rules.rulebook import LifecycleEvent, obey

TAINTED_BY_FAILURE = ("google_container_cluster",)
_API_PATHS = {"compute": "compute", "storage": "storage", "bigquery": "bigquery"}


class Objects:
    """The lifecycle of everything that is not a part of a policy."""

    def __init__(self, world: World) -> None:
        self._world = world

    def create(self, type: str, planned: State, provider: ProviderConfig, change: RequestEffects) -> ApplyResult:
        """Make an object. Raises ApiError."""
        request = object_requests.request_for(self._world, type, planned, provider)
        object_requests.call(self._world, type, "creating", f"create {type} {request.path}")
        with self._world.cloud.transaction():
            object_requests.api_is_on(self._world, type, planned, provider)
            permissions.demand(request, "create", afterwards=False)
            object_requests.references_are_there(request, "creating")
            found = self._world.cloud.get(type, request.path)
            if found is not None:
                request.thing = found
                if (taken := self._over_existing(request, found)) is not None:
                    return taken
            obey(LifecycleEvent.CREATE, request)
            thing = self._put(request)
            request.thing = thing
            change.made.add(request.path)
            obey(LifecycleEvent.CREATED, request)
            change.made |= request.made
            if self._world.faults.operation_fails(f"{type} {request.path}"):
                return self._failed_operation(request)
        return self._after_the_create(request)

    def _after_the_create(self, request: ObjectRequest) -> ApplyResult:
        """The calls that follow the write may be refused: then the object is there all the same."""
        try:
            permissions.demand(request, "create", afterwards=True)
        except ApiError as refused:
            if permissions.operations_denied(request, "create") and request.type not in TAINTED_BY_FAILURE:
                raise  # waiting failed, so the provider takes it for not made, and forgets it
            return ApplyResult(request.state, refused.diagnostics)
        return ApplyResult(request.state)

    def _failed_operation(self, request: ObjectRequest) -> ApplyResult:
        """A create whose operation fails leaves nothing; only a cluster stays, in the state too, and is tainted."""
        words = (
            f"Error waiting to create {noun(request.type)}: Error waiting for Creating {noun(request.type)}: internal"
        )
        if request.type not in TAINTED_BY_FAILURE:
            raise ApiError.because(words)
        return ApplyResult(request.state, [Diagnostic(DiagnosticSeverity.ERROR, words)])

    def _over_existing(self, request: ObjectRequest, found: CloudObject) -> ApplyResult | None:
        """What a create does when the name is known: None means that it goes on."""
        type, path = request.type, request.path
        behaviour = self._world.facts.behaviour(type).get("create_over_existing", {}).get("outcome")
        if found.status is ObjectStatus.GONE:
            return None
        if found.status is ObjectStatus.SOFT_DELETED:
            if "undelete + patch" in self._world.facts.behaviour(type).get("recreate", ""):
                return None
            raise request.error(
                409, f"Requested entity already exists: {path} (deleted, and kept for 30 days)", "alreadyExists"
            )
        match behaviour or self._usual_behaviour(type):
            case "adopted_without_write":
                return ApplyResult(read_back(request, found))
            case "adopted_by_write" | "second_object":
                return None
            case "exists_found_by_read":
                raise ApiError.because(
                    f"Error creating {noun(type)}: resource - {path} - already exists, import it instead"
                )
        raise request.error(409, f"{_taken(type, path)}", "alreadyExists")

    def _usual_behaviour(self, type: str) -> str:
        """Of types without a record: what has one fixed name in its project is taken over."""
        last = self._world.names.path_template(type).rsplit("/", 1)[-1]
        return "exists_409" if placeholders(last) else "adopted_by_write"

    def _put(self, request: ObjectRequest) -> CloudObject:
        type, path, cloud = request.type, request.path, self._world.cloud
        serial = cloud.count("made")
        request.values["path"] = path
        request.values.setdefault("id", self._world.names.id(type, request.values))
        request.values["api"] = _API_PATHS.get(type.split("_")[1], type.split("_")[1])
        block = self._world.schema.resource(type).block
        state = {**request.state, **{name: request.extra[name] for name in request.extra if name in block.attributes}}
        state = {**state, **refresh.computed(state, request.provider)}
        if state.get("id") in (UNKNOWN, None):
            state["id"] = request.values["id"]
        self._parents_values(request)
        filler = Filler(type, f"{path}#{serial}", {**request.values, **self._server_names(request)}, self._world.clock)
        request.state.clear()
        request.state.update(filler.fill(state, block.type))
        thing = cloud.put(type, path, self._world.names.project(type, request.values), request.state)
        cloud.set_uses(type, path, {one.path for one in object_requests.references(request)})
        return thing

    def _server_names(self, request: ObjectRequest) -> dict[str, str]:
        """Attributes that are the name Google made: `name` of a model index is the number in its path."""
        name = request.state.get("name", "")
        if name is not UNKNOWN:
            return {}
        last = request.path.rsplit("/", 1)[-1]
        formats = self._world.facts.type(request.type).import_formats
        by_number = any("(?P<name>" in form for form in formats)
        return {"name": last if by_number else request.values["id"]}

    def _parents_values(self, request: ObjectRequest) -> None:
        for above, type in self._world.names.parents(request.path)[:1]:
            if found := self._world.cloud.live(type, above):
                texts = {name: value for name, value in found.attributes.items() if isinstance(value, str)}
                request.values.update({f"parent.{name}": value for name, value in texts.items()})

    def update(self, type: str, prior: State, planned: State, provider: ProviderConfig) -> ApplyResult:
        """Change an object. Raises ApiError."""
        request = object_requests.request_for(self._world, type, planned, provider, read=True)
        request.prior = prior
        told = any(planned.get(name) != prior.get(name) for name in planned if name not in self._silent(type))
        if told:
            object_requests.call(self._world, type, "updating", f"update {type} {request.path}")
        with self._world.cloud.transaction():
            found = self._world.cloud.live(type, request.path)
            if found is None and told:
                raise request.error(404, f"Resource not found (resource={request.path}).", "notFound", verb="updating")
            request.thing = found
            if told:
                object_requests.api_is_on(self._world, type, planned, provider)
                permissions.demand(request, "update")
                object_requests.references_are_there(request, "updating")
                obey(LifecycleEvent.UPDATE, request)
            state = self._filled_anew(request, told=told)
            request.state.clear()
            request.state.update(state)
            if found is not None:
                self._world.cloud.change(type, request.path, state)
                self._world.cloud.set_uses(
                    type, request.path, {one.path for one in object_requests.references(request)}
                )
                obey(LifecycleEvent.UPDATED, request)
        return ApplyResult(request.state)

    def _silent(self, type: str) -> frozenset[str]:
        """Attributes of which Google is not told when they change."""
        silent = refresh.ONLY_TERRAFORM
        if self._world.facts.behaviour(type).get("deletion_protection", {}).get("toggle_writes_api"):
            silent -= {"deletion_protection"}
        return silent

    def _filled_anew(self, request: ObjectRequest, *, told: bool) -> State:
        type, block = request.type, self._world.schema.resource(request.type).block
        serial = request.thing.serial if request.thing else 0
        filler = Filler(type, f"{request.path}#{serial}", request.values, self._world.clock)
        state = {**request.state, **{name: request.extra[name] for name in request.extra if name in block.attributes}}
        state = filler.fill({**state, **refresh.computed(state, request.provider)}, block.type)
        if told:
            for name in self._changing(type) & state.keys():
                state[name] = filler.again(name, block.attributes[name].type)
        return state

    def _changing(self, type: str) -> set[str]:
        """What changes in state with every update without having been planned unknown."""
        recorded = self._world.facts.behaviour(type).get("update")
        attributes = self._world.facts.type(type).attributes
        if recorded is not None:
            return {
                name for name in recorded["computed_change_unplanned"] if name in CHANGES_ON_UPDATE & attributes.keys()
            }
        return {name for name in CHANGES_ON_UPDATE & attributes.keys() if not attributes[name].optional}

    def delete(self, type: str, prior: State, provider: ProviderConfig, change: RequestEffects) -> list[Diagnostic]:
        """Delete an object with what lies within it. Raises ApiError."""
        request = object_requests.request_for(self._world, type, prior, provider, read=True)
        recorded = self._world.facts.behaviour(type).get("destroy", {})
        if serviceusage.stays_enabled(request) or (
            recorded.get("outcome") == "removed_from_state_only" and type != "google_project_service"
        ):
            return []
        object_requests.call(self._world, type, "deleting", f"delete {type} {request.path}")
        permissions.demand(request, "delete")
        with self._world.cloud.transaction():
            found = self._world.cloud.live(type, request.path)
            if found is None:
                if recorded.get("delete_404") == "error":
                    raise google_error(type, "deleting", 404, f"Not found: {request.path}", "notFound")
                return []
            request.thing = found
            object_requests.api_is_on(self._world, type, prior, provider, verb="deleting")
            obey(LifecycleEvent.DELETE, request)
            self._remove(request, found, change)
            obey(LifecycleEvent.DELETED, request)
        return []

    def _remove(self, request: ObjectRequest, found: CloudObject, change: RequestEffects) -> None:
        """An object goes, and what lies within it goes with it."""
        cloud = self._world.cloud
        if (stays := request.extra.get("stays")) is not None:  # a key: only its versions are destroyed
            cloud.change(found.type, found.path, stays)
            return
        for one in [*cloud.things(under=found.path), found]:
            change.unmade[one.path] = cloud.used_by(one.type, one.path)
            cloud.mark(one.type, one.path, _after_deletion(self._world.facts.behaviour(one.type)))


def _after_deletion(behaviour: Mapping[str, Any]) -> ObjectStatus:
    words = behaviour.get("recreate", "")
    return ObjectStatus.SOFT_DELETED if "undelete" in words else ObjectStatus.GONE


def _taken(type: str, path: str) -> str:
    if type == "google_storage_bucket":
        return (
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again."
        )
    if type.startswith("google_compute_"):
        return f"The resource '{path}' already exists"
    return f"Resource already exists in the project (resource={path})."
