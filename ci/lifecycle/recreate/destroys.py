"""What a destroy will lose, read from Terraform's own plan of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ci.lifecycle.deploy import PlannedStack
from fonderie.core.resource_types import resource_type


@dataclass(frozen=True)
class Loss:
    """One resource that will be destroyed; `holds` says what is lost with it that a deploy does not bring back."""

    stack: str
    address: str
    type: str
    id: str
    holds: str


def losses(plans: Iterable[PlannedStack]) -> list[Loss]:
    """Everything that destroy plans delete: first what holds something."""
    found = []
    for planned in plans:
        for change in planned.plan.get("resource_changes", []):
            if "delete" in change["change"]["actions"]:
                before = change["change"].get("before") or {}
                kind = resource_type(change["type"])
                found.append(Loss(planned.stack, change["address"], kind.name, str(before.get("id")), kind.holds))
    return sorted(found, key=lambda one: (not one.holds, one.stack, one.address))


def by_stack(found: Iterable[Loss]) -> dict[str, int]:
    """How many resources each stack loses."""
    return dict(Counter(one.stack for one in found))
