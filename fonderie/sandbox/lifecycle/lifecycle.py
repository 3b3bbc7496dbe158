"""The apply side: what Google does when Terraform creates, reads, updates, deletes and imports."""

from __future__ import annotations

from fonderie.sandbox.cloud.cloud import Status
from fonderie.sandbox.lifecycle import destroy_protection, import_ids, object_requests
from fonderie.sandbox.lifecycle.data_sources import read_data
from fonderie.sandbox.lifecycle.destroy_protection import Verdict
from fonderie.sandbox.lifecycle.interface import UNKNOWN, ApiError, Applied, Diagnostic, ProviderConfig, State
from fonderie.sandbox.lifecycle.objects import Objects
from fonderie.sandbox.lifecycle.policies import Policies, is_part
from fonderie.sandbox.lifecycle.refresh import read_back
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rules.rulebook import Event, obey


class GoogleLifecycle:
    """What the plugin server calls, from several threads at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._policies = Policies(world)
        self._objects = Objects(world)

    def create(self, type: str, planned: State, provider: ProviderConfig) -> Applied:
        """Make what was planned, as a fresh project would let it."""
        self._world.faults.write()
        with self._world.waves.request() as change:
            if is_part(type):
                object_requests.api_is_on(self._world, type, planned, provider)
                return Applied(self._policies.make(type, planned, provider))
            return self._objects.create(type, planned, provider, change)

    def read(self, type: str, state: State, provider: ProviderConfig) -> State | None:
        """Refresh: what Google says of it now."""
        if is_part(type):
            object_requests.call(self._world, type, "reading", f"getIamPolicy {type} {state.get('id')}")
            return self._policies.read(type, state, provider)
        request = object_requests.request_for(self._world, type, state, provider, read=True)
        object_requests.call(self._world, type, "reading", f"read {type} {request.path}")
        found = self._world.cloud.get(type, request.path)
        if found is None or found.status is Status.GONE or (found.status is Status.SOFT_DELETED and not _shown(type)):
            return None
        request.thing = found
        obey(Event.READ, request)
        return read_back(request, found) if request.thing else None

    def update(self, type: str, prior: State, planned: State, provider: ProviderConfig) -> Applied:
        """Change in place; what Google is not told of (`deletion_policy`, ...) changes in the state only."""
        self._world.faults.write()
        with self._world.waves.request():
            try:
                if is_part(type):
                    return Applied(self._policies.make(type, planned, provider))
                return self._objects.update(type, prior, planned, provider)
            except ApiError as refused:
                return Applied(self._after_failure(type, prior, planned), refused.diagnostics)

    def _after_failure(self, type: str, prior: State, planned: State) -> State:
        recorded = self._world.facts.behaviour(type).get("failed_update_leaves_in_state")
        if recorded == "old values":
            return prior
        return {name: prior.get(name) if value is UNKNOWN else value for name, value in planned.items()}

    def delete(self, type: str, prior: State, provider: ProviderConfig) -> list[Diagnostic]:
        """Destroy, unless the state or the cloud protects it."""
        if not is_part(type) and destroy_protection.verdict(self._world, type, prior) is Verdict.ABANDON:
            return []
        self._world.faults.write()
        with self._world.waves.request() as change:
            if is_part(type):
                return self._policies.remove(type, prior, provider)
            return self._objects.delete(type, prior, provider, change)

    def import_(self, type: str, id: str, provider: ProviderConfig) -> list[State]:
        """What an import id names; it is read afterwards."""
        block = self._world.schema.resource(type).block
        parse = self._policies.parse if is_part(type) else lambda *given: import_ids.parse(self._world, *given)
        found = parse(type, id, provider)
        state = {
            **block.empty(),
            **{name: value for name, value in found.items() if name in block.attributes or name in block.blocks},
        }
        state["id"] = found.get("id") or self._imported_id(type, found, provider) or id
        if "project" in state and state["project"] is None and not is_part(type):
            state["project"] = provider.project
        return [state]

    def _imported_id(self, type: str, found: State, provider: ProviderConfig) -> str | None:
        if is_part(type):
            return None
        return self._world.names.id(type, self._world.names.values(type, found, provider))

    def read_data(self, type: str, config: State, provider: ProviderConfig) -> State:
        """The attributes of a data source. Raises ApiError when the object does not exist."""
        return read_data(self._world, type, config, provider)


def _shown(type: str) -> bool:
    """A custom role that was deleted is still read, with `deleted = true`, and plans nothing."""
    return type == "google_project_iam_custom_role"
