"""What changes in the scheduled requests that start pipelines: when, and what they ask for."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from ci.preview.masking.patterns import HIDDEN
from ci.preview.masking.printable import printable
from ci.preview.masking.secrets import Masker
from ci.preview.masking.values import Reader, hides
from ci.preview.models.facts import fact_changes, flat
from ci.preview.report import ModelChange
from fonderie.terraform.plan import StackPlan


def schedule_changes(plans: list[StackPlan], masker: Masker) -> list[ModelChange]:
    """Cloud Scheduler's jobs that change: the time in words where it is a simple one, and the body's fields."""
    reader = Reader(masker)
    found = []
    for plan in plans:
        for change in plan.changes:
            before, after = _dict(change.before), _dict(change.after)
            if change.type == "google_cloud_scheduler_job" and change.changes and before and after:
                name = printable(masker.text(str(after.get("name") or change.address)))
                old, new = (
                    {"schedule": _schedule(job, mask), **_request(job, mask)}
                    for job, mask in ((before, change.before_sensitive), (after, change.after_sensitive))
                )
                found += [item for _, item in fact_changes(name, old, new, reader, plan.environment)]
    return found


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _schedule(job: Mapping[str, Any], mask: object) -> str:
    if hides(mask, job) or any(_dict(mask).get(key) for key in ("schedule", "time_zone")):
        return HIDDEN
    zone = str(job.get("time_zone") or "")
    return f"{in_words(str(job.get('schedule') or ''))}{f' {zone}' if zone else ''}"


def _request(job: Mapping[str, Any], mask: object) -> dict[str, Any]:
    """What the workflow is asked to start (`argument` of an execution), which Terraform holds in base64.

    Any other body is left to the details; one marked as a secret is not shown.
    """
    targets = job.get("http_target")
    target = _dict(targets[0] if isinstance(targets, list) and targets else targets)
    if hides(mask, job) or _dict(mask).get("http_target"):
        return {}
    try:
        body = json.loads(base64.b64decode(str(target.get("body") or ""), validate=True))
        argument = json.loads(body["argument"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return {}
    return {f"run's {key}": value for key, value in flat(argument).items()} if isinstance(argument, dict) else {}


def in_words(cron: str) -> str:
    """`0 5 * * *` -> `daily 05:00`; an expression that is not that simple stays as it is."""
    match cron.split():
        case [minute, hour, day, "*", weekday] if minute.isdigit() and hour.replace(",", "").isdigit():
            times = " and ".join(f"{int(part):02d}:{int(minute):02d}" for part in hour.split(",") if part)
            if day == weekday == "*":
                return f"daily {times}"
            if weekday == "*" and day.isdigit():
                return f"monthly on day {day}, {times}"
    return cron
