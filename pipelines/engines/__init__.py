"""Where a compiled pipeline runs: this machine, Vertex AI, Kubeflow on a cluster. One interface, the same spec."""

from __future__ import annotations

from pipelines.engines.engine import PipelineEngine, Run, RunState, Schedule, TaskRun, TaskState

__all__ = ["PipelineEngine", "Run", "RunState", "Schedule", "TaskRun", "TaskState"]
