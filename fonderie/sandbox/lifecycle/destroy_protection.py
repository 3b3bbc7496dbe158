"""What keeps a resource from being destroyed. Everything is read from the state, at the apply.

Source: the recorded cases behind `provider/behaviours.json` (`deletion_policy`, `deletion_protection`).
"""

from __future__ import annotations

from enum import StrEnum

from fonderie.sandbox.lifecycle.interface import ApiError, State
from fonderie.sandbox.lifecycle.world import World, noun


class Verdict(StrEnum):
    """What a destroy may do."""

    DELETE = "delete"
    ABANDON = "abandon"  # Terraform forgets the resource; Google is not asked


_PROTECTED_WHEN_NULL = ("google_cloud_run_v2_", "google_workflows_")


def verdict(world: World, type: str, state: State) -> Verdict:
    """Whether a destroy deletes or abandons. Raises ApiError where it is refused."""
    if "deletion_policy" in world.facts.type(type).attributes:
        match state.get("deletion_policy"):  # any other value, case included, deletes
            case "ABANDON":
                return Verdict.ABANDON
            case "PREVENT":
                raise _refused(type, "cannot destroy {} with deletion_policy = PREVENT", 'deletion_policy = "DELETE"')
    if protected(world, type, state):
        raise _refused(type, "cannot destroy {} without setting deletion_protection=false", "deletion_protection=false")
    return Verdict.DELETE


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
