"""The apply side: what Google does when Terraform creates, reads, updates, deletes and imports.

What keeps a resource from being destroyed is read from the state, at the apply. Source: the recorded cases behind
`provider/behaviours.json` (`deletion_policy`, `deletion_protection`)."""

from __future__ import annotations

from enum import StrEnum

from fonderie.sandbox.cloud.cloud import ObjectStatus
from fonderie.sandbox.lifecycle import import_ids, object_requests, permissions
from fonderie.sandbox.lifecycle.data_sources import read_data
from fonderie.sandbox.lifecycle.interface import UNKNOWN, ApiError, ApplyResult, Diagnostic, ProviderConfig, State
from fonderie.sandbox.lifecycle.objects import Objects
from fonderie.sandbox.lifecycle.policies import Policies, is_part
from fonderie.sandbox.lifecycle.refresh import read_back
from fonderie.sandbox.lifecycle.world import World, noun
from fonderie.sandbox.rules.rulebook import LifecycleEvent, obey


class GoogleLifecycle:
    """What the plugin server calls, from several threads at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._policies = Policies(world)
        self._objects = Objects(world)

    def create(self, type: str, planned: State, provider: ProviderConfig) -> ApplyResult:
        """Make what was planned, as a fresh project would let it."""
        self._world.faults.write()
        with self._world.settling.request() as change:
            if is_part(type):
                object_requests.api_is_on(self._world, type, planned, provider)
                return ApplyResult(self._policies.make(type, planned, provider))
            return self._objects.create(type, planned, provider, change)

    def read(self, type: str, state: State, provider: ProviderConfig) -> State | None:
        """Refresh: what Google says of it now."""
        if is_part(type):
            object_requests.call(self._world, type, "reading", f"getIamPolicy {type} {state.get('id')}")
            return self._policies.read(type, state, provider)
        request = object_requests.request_for(self._world, type, state, provider, read=True)
        object_requests.call(self._world, type, "reading", f"read {type} {request.path}")
        permissions.demand(request, "read")
        found = self._world.cloud.get(type, request.path)
        if (
            found is None
            or found.status is ObjectStatus.GONE
            or (found.status is ObjectStatus.SOFT_DELETED and not _shown(type))
        ):
            return None
        request.thing = found
        obey(LifecycleEvent.READ, request)
        return read_back(request, found) if request.thing else None

    def update(self, type: str, prior: State, planned: State, provider: ProviderConfig) -> ApplyResult:
        """Change in place; what Google is not told of (`deletion_policy`, ...) changes in the state only."""
        self._world.faults.write()
        with self._world.settling.request():
            try:
                if is_part(type):
                    return ApplyResult(self._policies.make(type, planned, provider, prior))
                return self._objects.update(type, prior, planned, provider)
            except ApiError as refused:
                return ApplyResult(self._after_failure(type, prior, planned), refused.diagnostics)

    def _after_failure(self, type: str, prior: State, planned: State) -> State:
        recorded = self._world.facts.behaviour(type).get("failed_update_leaves_in_state")
        if recorded == "old values":
            return prior
        return {name: prior.get(name) if value is UNKNOWN else value for name, value in planned.items()}

    def delete(self, type: str, prior: State, provider: ProviderConfig) -> list[Diagnostic]:
        """Destroy, unless the state or the cloud protects it."""
        if not is_part(type) and destroy_action(self._world, type, prior) is DestroyAction.ABANDON:
            return []
        self._world.faults.write()
        with self._world.settling.request() as change:
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
        if not is_part(type):
            permissions.demand(object_requests.request_for(self._world, type, state, provider, read=True), "import")
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


class DestroyAction(StrEnum):
    """What a destroy may do."""

    DELETE = "delete"
    ABANDON = "abandon"  # Terraform forgets the resource; Google is not asked


_PROTECTED_WHEN_NULL = ("google_cloud_run_v2_", "google_workflows_")


def destroy_action(world: World, type: str, state: State) -> DestroyAction:
    """Whether a destroy deletes or abandons. Raises ApiError where it is refused."""
    if "deletion_policy" in world.facts.type(type).attributes:
        match state.get("deletion_policy"):  # any other value, case included, deletes
            case "ABANDON":
                return DestroyAction.ABANDON
            case "PREVENT":
                raise _refused(type, "cannot destroy {} with deletion_policy = PREVENT", 'deletion_policy = "DELETE"')
    if protected(world, type, state):
        raise _refused(type, "cannot destroy {} without setting deletion_protection=false", "deletion_protection=false")
    return DestroyAction.DELETE


def protected(world: World, type: str, state: State) -> bool:
    """Whether `deletion_protection` holds; null counts as protected for some types and as free for others."""
    if "deletion_protection" not in world.facts.type(type).attributes:
        return False
    value = state.get("deletion_protection")
    if value is None:
        recorded = world.facts.behaviour(type).get("deletion_protection", {})
        if "null_in_state" in recorded:
            return bool(recorded["null_in_state"] == "refused")
        return type.startswith(_PROTECTED_WHEN_NULL)
    return value is True


def _refused(type: str, what: str, way_out: str) -> ApiError:
    name = noun(type)
    return ApiError.because(
        f"{what.format(name)} and running `terraform apply`",
        f"The value in the state counts, not the one in the configuration. Set {way_out}, apply, then destroy.",
    )
