"""Vertex AI's jobs as runs (states, tasks, failures, pages of Cloud Logging), Cloud Scheduler's as their schedules.

Source: REST references of Vertex AI (`projects.locations.pipelineJobs`) and of Cloud Scheduler
(`projects.locations.jobs`); the latter are made by `infra/constructs/schedule.py`."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fonderie.google import Access, RestClient
from pipelines.engines.engine import Run, RunState, Schedule, TaskRun, TaskState

EXECUTIONS = r"https://workflowexecutions\.googleapis\.com/v1/.+/workflows/[^/]+/executions"
STATES = {
    "PIPELINE_STATE_SUCCEEDED": RunState.SUCCEEDED,
    "PIPELINE_STATE_FAILED": RunState.FAILED,
    "PIPELINE_STATE_CANCELLED": RunState.CANCELLED,
    "PIPELINE_STATE_CANCELLING": RunState.RUNNING,
}
TASK_STATES = {
    "SUCCEEDED": TaskState.SUCCEEDED,
    "SKIPPED": TaskState.SUCCEEDED,
    "FAILED": TaskState.FAILED,
    "CANCELLED": TaskState.CANCELLED,
}


def run_of(access: Access, job: Any) -> Run:
    """What a job tells of a run; one from a list tells no tasks."""
    tasks = tuple(_task(access, detail) for detail in _leaves(job.job_detail.task_details))
    problem = "; ".join(f"task {task.name}: {task.problem}" for task in tasks if task.problem)
    labels = dict(job.labels)
    return Run(
        id=job.name.rpartition("/")[2],
        pipeline=labels.get("pipeline", job.display_name),
        model=labels.get("model", ""),
        parameters={name: str(value) for name, value in (job.runtime_config.parameter_values or {}).items()},
        spec_sha256=labels.get("spec", ""),
        state=STATES.get(job.state.name, RunState.RUNNING),
        started=_time(job.create_time),
        finished=_time(job.end_time) if job.end_time else None,
        tasks=tasks,
        problem=problem or job.error.message or None,
    )


def _task(access: Access, detail: Any) -> TaskRun:
    return TaskRun(
        name=detail.task_name,
        state=TASK_STATES.get(detail.state.name, TaskState.RUNNING),
        seconds=(detail.end_time - detail.start_time).total_seconds() if detail.end_time else None,
        problem=detail.error.message or None,
        log=_log(access, detail),
    )


def _log(access: Access, detail: Any) -> str | None:
    """The page of Cloud Logging that shows what the task's custom job printed."""
    if not (job := detail.executor_detail.container_detail.main_job):
        return None
    query = f'resource.type="ml_job" resource.labels.job_id="{job.rpartition("/")[2]}"'
    return f"https://console.cloud.google.com/logs/query;query={quote(query)}?project={access.project}"


def _leaves(details: Any) -> list[Any]:
    """Tasks that run something: not the pipeline, its conditions and handlers, which fail with what is in them."""
    parents = {detail.parent_task_id for detail in details}
    return [detail for detail in details if detail.start_time and detail.task_id not in parents]


def _time(stamp: Any) -> datetime:
    return datetime.fromtimestamp(stamp.timestamp(), UTC)


def schedules(access: Access) -> tuple[Schedule, ...]:
    """Every job that asks the workflow for a run, by name."""
    jobs = RestClient(access).pages("cloudscheduler", f"v1/{access.parent}/jobs", "jobs")
    return tuple(sorted(filter(None, map(_schedule, jobs)), key=lambda schedule: schedule.name))


def _schedule(job: dict[str, Any]) -> Schedule | None:
    target = job.get("httpTarget", {})
    if not re.fullmatch(EXECUTIONS, target.get("uri", "")):
        return None
    body = json.loads(base64.b64decode(target.get("body", "")) or "{}")
    wanted = json.loads(body.get("argument") or "{}")
    if not {"model", "pipeline"} <= wanted.keys():
        return None
    status = job.get("status", {})
    return Schedule(
        name=job["name"].rpartition("/")[2],
        pipeline=wanted["pipeline"],
        model=wanted["model"],
        cron=job.get("schedule", ""),
        time_zone=job.get("timeZone", ""),
        paused=job.get("state") != "ENABLED",
        last=_instant(job.get("lastAttemptTime")),
        next=_instant(job.get("scheduleTime")),
        problem=status.get("message") or f"code {status['code']}" if status.get("code") else None,
    )


def _instant(stamp: str | None) -> datetime | None:
    return datetime.fromisoformat(stamp) if stamp else None
