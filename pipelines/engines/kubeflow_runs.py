"""Kubeflow's runs and recurring runs as ours.

Source: Kubeflow Pipelines API v2beta1.
"""

from __future__ import annotations

from typing import Any

from pipelines.engines.engine import Run, RunState, Schedule, TaskRun, TaskState

STATES = {
    "SUCCEEDED": RunState.SUCCEEDED,
    "FAILED": RunState.FAILED,
    "CANCELED": RunState.CANCELLED,
    "SKIPPED": RunState.SUCCEEDED,
}
TASK_STATES = {
    "SUCCEEDED": TaskState.SUCCEEDED,
    "SKIPPED": TaskState.SUCCEEDED,
    "FAILED": TaskState.FAILED,
    "CANCELED": TaskState.CANCELLED,
}


def run_of(found: Any) -> Run:
    """What Kubeflow tells of a run; one from a list tells no tasks."""
    tasks = tuple(_task(one) for one in details(found) if _is_work(one))
    failed = [f"task {one.name}: {one.problem}" for one in tasks if one.problem]
    parameters = _parameters(found)
    state = STATES.get(found.state, RunState.RUNNING)
    pipeline, model = _made_of(found)
    return Run(
        id=found.display_name,
        pipeline=pipeline,
        model=model,
        parameters=parameters,
        spec_sha256="",
        state=state,
        started=found.created_at,
        finished=found.finished_at if state.over else None,
        tasks=tasks,
        problem="; ".join(failed) or (found.error.message if found.error else None),
    )


def _parameters(found: Any) -> dict[str, str]:
    given = (found.runtime_config.parameters if found.runtime_config else None) or {}
    return {name: str(value) for name, value in given.items()}


def _made_of(found: Any) -> tuple[str, str]:
    """Pipeline and model, as the pipeline's own name says: `training-air-time` is training of air_time."""
    document = found.pipeline_spec or {}
    inner = document.get("pipeline_spec", document)
    pipeline, _, model = inner.get("pipelineInfo", {}).get("name", found.display_name).partition("-")
    return pipeline, model.replace("-", "_")


def _is_work(one: Any) -> bool:
    """Not the pipeline itself, nor what only starts a task's pod."""
    return bool(one.start_time) and one.display_name != "root" and not one.display_name.endswith("-driver")


def _task(one: Any) -> TaskRun:
    return TaskRun(
        name=one.display_name,
        state=TASK_STATES.get(one.state, TaskState.RUNNING),
        seconds=(one.end_time - one.start_time).total_seconds() if one.end_time else None,
        problem=(one.error.message or None) if one.error else None,
    )


def schedule_of(found: Any) -> Schedule:
    """What Kubeflow tells of a recurring run."""
    pipeline, model = _made_of(found)
    cron = found.trigger.cron_schedule if found.trigger else None
    every = found.trigger.periodic_schedule if found.trigger else None
    return Schedule(
        name=found.display_name,
        pipeline=pipeline,
        model=model,
        cron=cron.cron if cron else f"every {every.interval_second} s" if every else "",
        time_zone="UTC",
        paused=found.status != "ENABLED",
        problem=found.error.message if found.error else None,
    )


def details(found: Any) -> list[Any]:
    """What is told of the tasks of a run; none in a list, and none before it starts."""
    return (found.run_details.task_details if found.run_details else None) or []
