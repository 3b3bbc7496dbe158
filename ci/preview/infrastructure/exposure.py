"""Doors that are not IAM grants: public prevention lifted, a firewall open to the world, a key for a person to keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from ci.preview.masking.patterns import HIDDEN
from ci.preview.masking.printable import WHOLE, folded
from ci.preview.masking.values import Reader, same, shown
from ci.preview.report import Grant
from fonderie.terraform.plan import Action, ResourceChange, StackPlan

_WORLD = ("0.0.0.0/0", "::/0")
_PUBLIC = ('"allUsers"', '"allAuthenticatedUsers"')


def doors(change: ResourceChange, plan: StackPlan, reader: Reader) -> Iterator[Grant]:
    """What of a change opens something, as alarms."""
    if change.action in (Action.DESTROY, Action.FORGET):
        return
    before = change.before if isinstance(change.before, dict) else {}
    after = change.after if isinstance(change.after, dict) else {}
    for verb, role, alarm in _opened(change.type, before, after, change.action, lambda: _seen(change, reader)):
        yield Grant(
            environment=plan.environment,
            stack=plan.stack,
            address=reader.address(change.address),
            subject="",
            verb=verb,
            role=folded(role),
            resource=reader.address(change.address),
            alarm=alarm,
        )


def _seen(change: ResourceChange, reader: Reader) -> dict[str, str]:
    """What may be seen of the values after it."""
    tree = reader.tree(change.after, change.mask, change.unknown)
    return {key: shown(value, WHOLE) for key, value in tree.items()} if isinstance(tree, dict) else {}


def _opened(
    kind: str, before: dict[str, Any], after: dict[str, Any], action: Action, seen: Callable[[], dict[str, str]]
) -> Iterator[tuple[str, str, str]]:
    """What is done, to what and why it matters."""

    def lifted(name: str, closed: object) -> bool:
        return same(before.get(name), closed) and not same(after.get(name), closed)

    match kind:
        case "google_service_account_key" if action in (Action.CREATE, Action.REPLACE):
            yield "makes", "a service account key", "a KEY that does not expire and can be copied"
        case "google_compute_firewall" if _world(after) and not (
            _world(before) and same(before.get("allow"), after.get("allow"))
        ):
            yield "opens", seen().get("allow", HIDDEN), "OPEN TO THE WORLD"
        case "google_storage_bucket" if lifted("public_access_prevention", "enforced"):
            yield "lifts", "public access prevention", "may become PUBLIC"
        case "google_storage_bucket" if lifted("uniform_bucket_level_access", True):
            yield "lifts", "uniform access", "objects may have their own access lists"
        case "google_cloud_run_v2_service" if after.get("invoker_iam_disabled") and not before.get(
            "invoker_iam_disabled"
        ):
            yield "lifts", "the invoker check", "PUBLIC: anybody may call it"
        case "google_iam_workload_identity_pool_provider" if before and not same(
            before.get("attribute_condition"), after.get("attribute_condition")
        ):
            condition = seen().get("attribute_condition", "no condition")
            yield "trusts", f"tokens under {condition}", "who may come in from outside changes"
        case "google_project_iam_custom_role" if _added(before, after):
            added = [name for name in _added(before, after) if f'"{name}"' in seen().get("permissions", "")]
            yield "adds", ", ".join(added) or HIDDEN, "the role allows more" if before else ""
        case _ if not same(before, after) and _names_public(kind, after) and not _names_public(kind, before):
            yield "lets in", "the public", "PUBLIC"


def _world(value: dict[str, Any]) -> bool:
    ranges = value.get("source_ranges")
    ingress = value.get("direction") in (None, "INGRESS") and not value.get("disabled")
    return ingress and bool(value.get("allow")) and isinstance(ranges, list) and any(item in _WORLD for item in ranges)


def _added(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    old, new = (value.get("permissions") for value in (before, after))
    if not isinstance(new, list):
        return []
    known = [item for item in old if isinstance(item, str)] if isinstance(old, list) else []
    return [item for item in new if isinstance(item, str) and item not in known][:20]


def _names_public(kind: str, value: dict[str, Any]) -> bool:
    """An access list that is not an IAM resource: a dataset's `access`, a bucket's or object's entity."""
    if "_iam_" in kind or not kind.startswith("google_"):
        return False
    watched = {
        key: value[key]
        for key in ("access", "entity", "special_group", "role_entity", "predefined_acl")
        if key in value
    }
    if not watched:
        return False
    try:
        text = json.dumps(watched)
    except RecursionError:
        return False
    return any(name in text for name in _PUBLIC) or '"publicRead' in text
