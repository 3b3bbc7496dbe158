"""Pipelines on Vertex AI Pipelines: the spec that the delivery stack ships, submitted over REST.

A run's id is Vertex AI's job id, so submitting the same run twice is refused by Vertex AI itself; here that is the run
which is there already. Waiting can be taken up again by id from any machine.

Source: Vertex AI REST reference, `projects.locations.pipelineJobs`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fonderie.errors import BadInputError, StepFailedError
from fonderie.google import Access, words
from pipelines.compile import CompiledSpec
from pipelines.engines.engine import Progress, Run, RunState, TaskRun, TaskState

JOB_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
STATES = {
    "PIPELINE_STATE_SUCCEEDED": RunState.SUCCEEDED,
    "PIPELINE_STATE_FAILED": RunState.FAILED,
    "PIPELINE_STATE_CANCELLED": RunState.CANCELLED,
    "PIPELINE_STATE_CANCELLING": RunState.RUNNING,
}
TASK_STATES = {"SUCCEEDED": TaskState.SUCCEEDED, "SKIPPED": TaskState.SUCCEEDED, "FAILED": TaskState.FAILED}
LONGEST_PAUSE_S = 30.0
UNREACHED_TRIES = 10  # a network that is cut for minutes does not end the waiting


@dataclass(frozen=True)
class VertexSettings:
    """Where jobs run and as whom."""

    access: Access
    pipeline_root: str  # gs://bucket/path
    service_account: str
    labels: dict[str, str]


class VertexEngine:
    """See Engine."""

    def __init__(self, settings: VertexSettings, *, pause: Callable[[float], None] = time.sleep) -> None:
        """`pause` waits between two looks, in seconds."""
        self._settings, self._pause = settings, pause
        self._jobs = settings.access.vertex("PipelineServiceClient")

    def submit(self, spec: CompiledSpec, run_id: str, parameters: dict[str, str]) -> Run:
        """See Engine. A run of that id which is there already is returned as it is.

        Raises:
            BadInputError: an image that is not named by digest, a run id Vertex AI cannot take, parameters the
                pipeline does not have or that it lacks.
        """
        document = spec.read()
        check_images(document, spec.path)
        check_parameters(document, parameters, where=spec.name)
        if not JOB_ID.fullmatch(run_id):
            raise BadInputError(f"{run_id!r} cannot be a job id", hint="lower case letters, digits and hyphens")
        from google.api_core.exceptions import AlreadyExists, Conflict

        with words(f"submission of {run_id}"):
            try:
                job = self._jobs.create_pipeline_job(
                    request={
                        "parent": self._settings.access.parent,
                        "pipeline_job_id": run_id,
                        "pipeline_job": self._job(spec, document, parameters),
                    }
                )
            except (AlreadyExists, Conflict):
                return self.get(run_id)
        return self._run(job)

    def wait(self, run_id: str, progress: Progress | None = None) -> Run:
        """See Engine. Looks again after 2 s, then less and less often; a network that fails meanwhile is waited for."""
        told: dict[str, TaskState] = {}
        for pause in self._pauses():
            run = self._look(run_id)
            for task in run.tasks:
                if progress and told.get(task.name) is not task.state:
                    progress(task)
                told[task.name] = task.state
            if run.state.over:
                break
            self._pause(pause)
        if run.state is RunState.FAILED:
            raise StepFailedError(run.problem or "failed", where=f"run {run_id}", hint=f"logs: {self.link(run_id)}")
        return run

    def logs(self, run_id: str, task: str | None = None) -> str:
        """See Engine: what failed, and where Cloud Logging shows the rest."""
        job = self._job_of(run_id)
        lines = [
            f"{detail.task_name}: {detail.error.message}"
            for detail in job.job_detail.task_details
            if detail.error.message and task in (None, detail.task_name)
        ]
        return "\n".join([*lines, self.link(run_id)])

    def cancel(self, run_id: str) -> Run:
        """See Engine."""
        run = self.get(run_id)
        if not run.state.over:
            with words(f"run {run_id}"):
                self._jobs.cancel_pipeline_job(name=self._name(run_id))
        return self.get(run_id)

    def get(self, run_id: str) -> Run:
        """See Engine."""
        return self._run(self._job_of(run_id))

    def list(self) -> tuple[Run, ...]:
        """See Engine: runs that carry our label."""
        with words(f"Vertex AI in {self._settings.access.region}"):
            request = {"parent": self._settings.access.parent, "filter": 'labels.managed_by="fonderie"'}
            jobs = list(self._jobs.list_pipeline_jobs(request=request))
        return tuple(sorted((self._run(job) for job in jobs), key=lambda run: run.started))

    def artefacts(self, run_id: str) -> dict[str, Path]:
        """See Engine: URIs in Cloud Storage, as paths under `/gcs` where Vertex AI mounts them."""
        found = {}
        for detail in self._job_of(run_id).job_detail.task_details:
            for name, output in detail.outputs.items():
                for artefact in output.artifacts:
                    found[f"{detail.task_name}/{name}"] = Path(artefact.uri.replace("gs://", "/gcs/", 1))
        return found

    def link(self, run_id: str) -> str:
        """The run's page, with every task's log."""
        access = self._settings.access
        return (
            f"https://console.cloud.google.com/vertex-ai/locations/{access.region}/pipelines/runs/{run_id}"
            f"?project={access.project}"
        )

    def _job(self, spec: CompiledSpec, document: dict[str, Any], parameters: dict[str, str]) -> dict[str, Any]:
        labels = self._settings.labels | {
            "managed_by": "fonderie",
            "model": spec.model,
            "pipeline": spec.pipeline,
            "spec": spec.sha256[:32],
        }
        return {
            "display_name": spec.name,
            "pipeline_spec": document,
            "service_account": self._settings.service_account,
            "labels": labels,
            "runtime_config": {
                "gcs_output_directory": self._settings.pipeline_root,
                "parameter_values": parameters,
                "failure_policy": "PIPELINE_FAILURE_POLICY_FAIL_FAST",
            },
        }

    def _name(self, run_id: str) -> str:
        return f"{self._settings.access.parent}/pipelineJobs/{run_id}"

    def _job_of(self, run_id: str) -> Any:
        from google.api_core.exceptions import NotFound

        with words(f"run {run_id}"):
            try:
                return self._jobs.get_pipeline_job(name=self._name(run_id))
            except NotFound as error:
                place = self._settings.access.parent
                raise BadInputError(f"no run is called {run_id!r}", where=place, hint="fonderie runs list") from error

    def _look(self, run_id: str) -> Run:
        """`get`, over a network that may be cut for a while."""
        for _ in range(UNREACHED_TRIES):
            try:
                return self.get(run_id)
            except StepFailedError as error:
                problem = error
                self._pause(LONGEST_PAUSE_S)
        raise StepFailedError(
            f"the run could not be seen any more: {problem.what}",
            where=f"run {run_id}",
            hint=f"it goes on by itself: `fonderie runs show {run_id}` later, or {self.link(run_id)}",
        )

    @staticmethod
    def _pauses() -> Iterator[float]:
        pause = 2.0
        while True:
            yield pause
            pause = min(pause * 1.3, LONGEST_PAUSE_S)

    def _run(self, job: Any) -> Run:
        details = [detail for detail in job.job_detail.task_details if detail.task_name]
        failed = [detail for detail in details if detail.error.message]
        problem = "; ".join(f"task {detail.task_name}: {detail.error.message}" for detail in failed)
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
            tasks=tuple(_task(detail) for detail in details if detail.start_time),
            problem=problem or job.error.message or None,
        )


def _time(stamp: Any) -> datetime:
    return datetime.fromtimestamp(stamp.timestamp(), UTC)


def _task(detail: Any) -> TaskRun:
    seconds = (detail.end_time - detail.start_time).total_seconds() if detail.end_time else None
    return TaskRun(name=detail.task_name, state=TASK_STATES.get(detail.state.name, TaskState.RUNNING), seconds=seconds)


def check_images(document: dict[str, Any], where: Path) -> None:
    """Refuse a spec whose images can change under it. Raises BadInputError."""
    executors = document.get("deploymentSpec", {}).get("executors", {})
    for name, executor in sorted(executors.items()):
        image = executor.get("container", {}).get("image", "")
        if "@sha256:" not in image:
            raise BadInputError(
                f"the image {image or 'of nothing'} of {name} is not named by digest",
                where=where,
                hint="set images.pipelines in the environment's file to REGISTRY/training@sha256:...",
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
