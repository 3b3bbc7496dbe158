"""What outlives a destroy is taken over before the deploy: keys and key rings imported, deleted pools brought back.

Google never deletes a key ring or key, and keeps the name of a federation pool for thirty days: creating one again is a
409. Source: the recorded `recreate` facts of `fonderie/sandbox/provider/behaviours.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ci.lifecycle.deploy import PlannedStack
from ci.lifecycle.recreate.operator_actions import OperatorActions
from fonderie.core.errors import StepFailedError
from fonderie.core.resource_types import resource_types
from fonderie.terraform.runner import Terraform


def import_ids() -> dict[str, str]:
    """The types that outlive a destroy and the form of their ids, in the order in which they must be taken over."""
    return {row.name: row.import_id for row in resource_types().values() if row.import_id}


@dataclass(frozen=True)
class Survivor:
    """Something that a plan wants to create and that may be there already."""

    address: str
    type: str
    id: str


def survivors(planned: PlannedStack, project: str) -> Iterator[Survivor]:
    """What a plan creates of the types that outlive a destroy, parents first."""
    for type, form in import_ids().items():
        for change in planned.plan.get("resource_changes", []):
            if change["type"] == type and change["change"]["actions"] == ["create"]:
                after = {"project": project, **{k: v for k, v in change["change"]["after"].items() if v is not None}}
                if "key_ring" in form and "key_ring" not in after:
                    continue  # not known before the ring is there: the next plan tells
                yield Survivor(change["address"], type, form.format_map(after))


def adopt(run: Terraform, found: Iterator[Survivor], operator: OperatorActions, tell: Callable[[str], None]) -> int:
    """Import what is there, after bringing it back where it was deleted; how many there were."""
    adopted = 0
    for one in found:
        if one.type.startswith("google_iam_") and operator.undelete(one.id):
            tell(f"undeleted {one.id}")
        try:
            run.import_(one.address, one.id)
        except StepFailedError as error:
            if _is_absent(error):
                continue
            raise
        adopted += 1
        tell(f"imported {one.address}: it outlived the destroy")
    return adopted


def _is_absent(error: StepFailedError) -> bool:
    said = " ".join(error.what.split())  # Terraform breaks its lines where they are long
    return any(words in said for words in ("non-existent remote object", "Error 404", "does not exist"))
