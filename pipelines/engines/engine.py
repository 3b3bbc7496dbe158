"""A run and its tasks, and what every engine can do with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

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
        """Nothing more will happen."""
        return self is not RunState.RUNNING


class TaskState(StrEnum):
    """Of one task."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class TaskRun(BaseModel):
    """One task of a run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    state: TaskState
    seconds: float | None = None


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

    @property
    def seconds(self) -> float | None:
        """From start to finish."""
        return (self.finished - self.started).total_seconds() if self.finished else None


Progress = Callable[[TaskRun], None]
"""Called when a task starts and when it ends."""


class Engine(Protocol):
    """Runs compiled pipelines. Raises BadInputError for a run it does not know."""

    def submit(self, spec: CompiledSpec, run_id: str, parameters: dict[str, str]) -> Run:
        """Start a run. The local engine has run it when it returns `wait`."""

    def wait(self, run_id: str, progress: Progress | None = None) -> Run:
        """Until the run is over. Raises StepFailedError: the task, the tail of its own output, its artefacts."""

    def logs(self, run_id: str, task: str | None = None) -> str:
        """What the run, or one of its tasks, printed."""

    def cancel(self, run_id: str) -> Run:
        """Stop it; a run that is over stays as it is."""

    def get(self, run_id: str) -> Run:
        """One run."""

    def list(self) -> tuple[Run, ...]:
        """Every run, oldest first."""

    def artefacts(self, run_id: str) -> dict[str, Path]:
        """`task/output` -> where it can be read."""
