"""A run and its tasks, what every engine can do with them, and what a spec must be before any engine takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from fonderie.core.errors import BadInputError
from pipelines.compile import CompiledSpec


class RunState(StrEnum):
    """Of a run as a whole. `interrupted`: its process ended before it did."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether the run has ended, in whatever way."""
        return self is not RunState.RUNNING


class TaskState(StrEnum):
    """State of one task of a run."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskRun(BaseModel):
    """One task of a run: state, times, error and where its log is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: TaskState
    seconds: float | None = None
    problem: str | None = None
    log: str | None = None  # where a remote task's output is read


class Run(BaseModel):
    """What is known of a run at a moment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    pipeline: str
    model: str
    parameters: dict[str, str]
    spec_sha256: str
    state: RunState
    started: datetime
    finished: datetime | None = None
    tasks: tuple[TaskRun, ...] = ()
    process: int | None = None  # of a local run
    problem: str | None = None
    found: bool = False  # the answer to a submit: it was asked for before, and nothing was started

    @property
    def seconds(self) -> float | None:
        """Duration from start to end, in seconds."""
        return (self.finished - self.started).total_seconds() if self.finished else None


class Schedule(BaseModel):
    """What starts runs by the clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    pipeline: str
    model: str
    cron: str
    time_zone: str
    paused: bool
    last: datetime | None = None  # attempt to start a run
    next: datetime | None = None
    problem: str | None = None  # of the last attempt


Progress = Callable[[TaskRun], None]
"""Called when a task starts and when it ends."""


class PipelineEngine(Protocol):
    """Runs compiled pipelines. Raises BadInputError for a run it does not know."""

    def submit(self, spec: CompiledSpec, run_id: str, parameters: dict[str, str]) -> Run:
        """Start a run. The local engine has run it when it returns `wait`.

        A remote engine has one run by an id: asked for again it answers with the run it has, `found`. One that failed
        or was cancelled is run anew.
        """

    def wait(self, run_id: str, progress: Progress | None = None) -> Run:
        """Until the run is over. Raises StepFailedError: the task, its own words, where its output is; cancelled."""

    def logs(self, run_id: str, task: str | None = None) -> str:
        """What the run, or one of its tasks, printed."""

    def link(self, run_id: str) -> str:
        """Where a person sees the run: its page, or its folder."""

    def cancel(self, run_id: str) -> Run:
        """Stop it; a run that is over stays as it is."""

    def get(self, run_id: str) -> Run:
        """State and tasks of one run. Raises BadInputError for an unknown run."""

    def list(self, last: int | None = None) -> tuple[Run, ...]:
        """The `last` runs, or all of them, oldest first."""

    def artefacts(self, run_id: str) -> dict[str, Path]:
        """`task/output` -> where it can be read."""

    def schedules(self) -> tuple[Schedule, ...]:
        """What starts runs here by the clock, by name."""


def check_images(document: dict[str, Any], where: Path) -> None:
    """Refuse a spec whose images can change under it. Raises BadInputError."""
    executors = document.get("deploymentSpec", {}).get("executors", {})
    for name, executor in sorted(executors.items()):
        image = executor.get("container", {}).get("image", "")
        if "@sha256:" not in image:
            raise BadInputError(
                f"the image {image or 'of nothing'} of {name} is not pinned by digest",
                where=where,
                hint="set images.pipelines in the environment's file to REGISTRY/pipelines@sha256:...",
            )


def check_parameters(
    document: dict[str, Any], parameters: Mapping[str, str | int | float | bool], *, where: str
) -> None:
    """Hold parameters to the pipeline's own signature, before anything is submitted. Raises BadInputError."""
    known = document.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    if unknown := sorted(set(parameters) - set(known)):
        raise BadInputError(
            f"the pipeline has no {', '.join(unknown)}", where=where, hint=f"it has {', '.join(sorted(known))}"
        )
    required = {name for name, one in known.items() if "defaultValue" not in one and not one.get("isOptional")}
    if missing := sorted(required - set(parameters)):
        raise BadInputError(f"the pipeline needs {', '.join(missing)}", where=where)
