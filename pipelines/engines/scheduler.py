"""The jobs of Cloud Scheduler that start runs on Vertex AI: their clock, and how their last attempt went.

Source: Cloud Scheduler REST reference, `projects.locations.jobs`; the jobs are made by `infra/constructs/schedule.py`.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from fonderie.google import Access, RestClient
from pipelines.engines.engine import Schedule


def schedules(access: Access) -> tuple[Schedule, ...]:
    """Every job that creates a pipeline job of ours, by name."""
    jobs = RestClient(access).pages("cloudscheduler", f"v1/{access.parent}/jobs", "jobs")
    return tuple(sorted(filter(None, map(_schedule, jobs)), key=lambda schedule: schedule.name))


def _schedule(job: dict[str, Any]) -> Schedule | None:
    target = job.get("httpTarget", {})
    if not target.get("uri", "").endswith("/pipelineJobs"):
        return None
    labels = json.loads(base64.b64decode(target.get("body", "")) or "{}").get("labels", {})
    status = job.get("status", {})
    return Schedule(
        name=job["name"].rpartition("/")[2],
        pipeline=labels.get("pipeline", ""),
        model=labels.get("model", ""),
        cron=job.get("schedule", ""),
        time_zone=job.get("timeZone", ""),
        paused=job.get("state") != "ENABLED",
        last=_time(job.get("lastAttemptTime")),
        next=_time(job.get("scheduleTime")),
        problem=status.get("message") or f"code {status['code']}" if status.get("code") else None,
    )


def _time(stamp: str | None) -> datetime | None:
    return datetime.fromisoformat(stamp) if stamp else None
