"""What changed outside Terraform: what a plan found otherwise than the last apply left it."""

from __future__ import annotations

from ci.preview.fingerprint import VOLATILE
from ci.preview.infrastructure.attributes import attribute_changes
from ci.preview.masking.values import Reader
from ci.preview.report import Change
from fonderie.terraform.plan import Action, StackPlan


def changed_outside(plan: StackPlan, reader: Reader) -> list[Change]:
    """What of a plan's drift a person did; what the provider counts up by itself is left out."""
    found = []
    for change in plan.drifted:
        attributes, more = attribute_changes(change, reader)
        told = [item for item in attributes if item.path.split(".")[0].split("[")[0] not in VOLATILE]
        if told or change.action is Action.DESTROY:
            note = "is gone from the cloud" if change.action is Action.DESTROY else ""
            found.append(
                Change(
                    address=reader.address(change.address),
                    type=change.type,
                    action=change.action,
                    note=note,
                    attributes=tuple(told),
                    more_attributes=more,
                )
            )
    return sorted(found, key=lambda change: change.address)
