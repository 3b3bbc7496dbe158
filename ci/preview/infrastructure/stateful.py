"""What protects a resource from its destroy, in state. Source: the provider's documentation."""

from __future__ import annotations

from fonderie.core.resource_types import resource_type
from fonderie.terraform.plan import ResourceChange


def abandoned(change: ResourceChange) -> bool:
    """Whether its destroy leaves it in the cloud."""
    return isinstance(change.before, dict) and change.before.get("deletion_policy") == "ABANDON"


def protection(change: ResourceChange) -> str:
    """The protection in state that will refuse the destroy, or nothing. Source: the provider's documentation."""
    before = change.before if isinstance(change.before, dict) else {}
    if abandoned(change):
        return "left in the cloud (deletion_policy ABANDON)"
    for name in ("deletion_protection", "deletion_protection_enabled"):
        if before.get(name) is True:
            return f"{name} refuses it until it is off in state"
    if before.get("deletion_policy") == "PREVENT":
        return "deletion_policy PREVENT refuses it until it is changed in state"
    kind = resource_type(change.type)
    if kind.contents and not before.get(kind.takes_along):
        return f"fails while it holds {kind.contents} ({kind.takes_along} is off)"
    return ""
