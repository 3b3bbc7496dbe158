"""Terraform's plan JSON, written short."""

from __future__ import annotations

import json
from typing import Any

from ci.preview.assemble import Material, assemble
from ci.preview.render.comment import render
from ci.preview.report import Preview
from fonderie.terraform.plan import StackPlan, read_plan

ACTIONS = {
    "create": ["create"],
    "update": ["update"],
    "delete": ["delete"],
    "replace": ["delete", "create"],
    "create_first": ["create", "delete"],
    "none": ["no-op"],
    "forget": ["forget"],
}


def change(address: str, action: str, before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    """An entry of `resource_changes`; `sensitive` marks both sides, `forces` are replace paths."""
    sensitive = more.pop("sensitive", {})
    inner = {
        "actions": ACTIONS[action],
        "before": before,
        "after": after,
        "after_unknown": more.pop("unknown", {}),
        "before_sensitive": more.pop("before_sensitive", sensitive),
        "after_sensitive": more.pop("after_sensitive", sensitive),
    }
    if forces := more.pop("forces", None):
        inner["replace_paths"] = forces
    if importing := more.pop("importing", None):
        inner["importing"] = {"id": importing}
    kind, name = address.split("[")[0].split(".")[-2:]
    return {"address": address, "mode": "managed", "type": kind, "name": name, "change": inner, **more}


def plan_json(*changes: dict[str, Any], **more: Any) -> str:
    """What `terraform show -json` prints."""
    body = {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": list(changes), **more}
    return json.dumps(body)


def plan(*changes: dict[str, Any], environment: str = "prod", stack: str = "", **more: Any) -> StackPlan:
    """A stack's plan."""
    return read_plan(plan_json(*changes, **more), environment=environment, stack=stack or f"{environment}-data")


def preview(*changes: dict[str, Any], **more: Any) -> Preview:
    """The preview of one stack's changes."""
    return assemble(Material(plans=(plan(*changes, **more),)))


def comment(*changes: dict[str, Any], **more: Any) -> str:
    """The comment on one stack's changes."""
    return render(preview(*changes, **more))
