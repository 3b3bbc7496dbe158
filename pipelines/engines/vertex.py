"""Pipelines on Vertex AI Pipelines: the spec that the delivery stack ships, submitted over REST.

A run's id is Vertex AI's job id, so submitting the same run twice is refused by Vertex AI itself; here that is the run
which is there already. Waiting can be taken up again by id from any machine.

Source: Vertex AI REST reference, `projects.locations.pipelineJobs`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError, ConflictError
from fonderie.google import Access, NotFoundError, google_errors
from pipelines.compile import CompiledSpec
from pipelines.engines.engine import Progress, Run, RunState, Schedule, check_images, check_parameters
from pipelines.engines.vertex_runs import run_of
from pipelines.engines.waiting import wait_until_over

JOB_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")
PAGE = 100
LISTED = "name,displayName,state,createTime,endTime,labels,runtimeConfig,error"
"""What a list shows of a job: all but the spec, which is most of it."""


@dataclass(frozen=True)
class VertexSettings:
    """Where jobs run and as whom."""

    access: Access
    pipeline_root: str  # gs://bucket/path
    service_account: str
    labels: dict[str, str]
    own_accounts: Mapping[str, str] = field(default_factory=dict)  # of pipelines that do not run as service_account
    key: str = ""  # the customer's, by resource path; empty for Google's own


class VertexEngine:
    """Runs pipelines as PipelineJobs of Vertex AI."""

    def __init__(self, settings: VertexSettings, *, pause: Callable[[float], None] = time.sleep) -> None:
        """`pause` waits between two looks, in seconds."""
        self._settings, self._pause = settings, pause
        self._jobs = settings.access.vertex("PipelineServiceClient")

    def submit(self, spec: CompiledSpec, run_id: str, parameters: dict[str, str]) -> Run:
        """Create the PipelineJob `run_id`; a second attempt is `RUN-2`, since Vertex AI never reuses an id.

        Raises:
            BadInputError: an image that is not pinned by digest, a run id Vertex AI cannot take, parameters the
                pipeline does not have or that it lacks.
        """
        document = spec.read()
        check_images(document, spec.path)
        check_parameters(document, parameters, where=spec.name)
        if not JOB_ID.fullmatch(run_id):
            raise BadInputError(f"invalid job id {run_id!r}", hint="lower case letters, digits and hyphens")
        job = self._job(spec, document, parameters)
        job_id, attempt = run_id, 1
        while (made := self._create(job_id, job)) is None:
            there = self.get(job_id)
            if there.state not in {RunState.FAILED, RunState.CANCELLED}:
                return there.model_copy(update={"found": True})
            attempt += 1
            job_id = f"{run_id}-{attempt}"
        return run_of(self._settings.access, made)

    def wait(self, run_id: str, progress: Progress | None = None) -> Run:
        """Poll until the run is over, through network failures. Raises StepFailedError: failed or cancelled."""
        return wait_until_over(
            run_id,
            lambda: self.get(run_id),
            page=lambda: self.link(run_id),
            pause=self._pause,
            progress=progress,
        )

    def logs(self, run_id: str, task: str | None = None) -> str:
        """The error and the Cloud Logging query of each task. Raises BadInputError for an unknown task."""
        run = self.get(run_id)
        if task is not None and task not in {each.name for each in run.tasks}:
            raise BadInputError(f"the run has no task {task!r}", where=run_id, hint=_names(run))
        shown = [each for each in run.tasks if task in (None, each.name)]
        lines = [f"{each.name}: {'; '.join(filter(None, [each.problem, each.log]))}" for each in shown]
        return "\n".join([*lines, self.link(run_id)])

    def link(self, run_id: str) -> str:
        """The run's page, with every task's log."""
        access = self._settings.access
        return (
            f"https://console.cloud.google.com/vertex-ai/locations/{access.region}/pipelines/runs/{run_id}"
            f"?project={access.project}"
        )

    def cancel(self, run_id: str) -> Run:
        """Cancel the job unless it is over. Raises BadInputError for an unknown run."""
        run = self.get(run_id)
        if not run.state.over:
            with google_errors(f"run {run_id}"):
                self._jobs.cancel_pipeline_job(name=self._name(run_id))
        return self.get(run_id)

    def get(self, run_id: str) -> Run:
        """The job's state and tasks. Raises BadInputError for an unknown run."""
        return run_of(self._settings.access, self._job_of(run_id))

    def list(self, last: int | None = None) -> tuple[Run, ...]:
        """The `last` jobs labelled `managed_by=fonderie`, or all, oldest first, without their tasks."""
        request = {
            "parent": self._settings.access.parent,
            "filter": 'labels.managed_by="fonderie"',
            "order_by": "create_time desc",
            "read_mask": LISTED,
            "page_size": PAGE,
        }
        with google_errors(f"Vertex AI in {self._settings.access.region}"):
            jobs = list(islice(self._jobs.list_pipeline_jobs(request=request), last))
        return tuple(run_of(self._settings.access, job) for job in reversed(jobs))

    def artefacts(self, run_id: str) -> dict[str, Path]:
        """`task/output` -> URI as a path under `/gcs`, where Vertex AI mounts Cloud Storage."""
        found = {}
        for detail in self._job_of(run_id).job_detail.task_details:
            for name, output in detail.outputs.items():
                for artefact in output.artifacts:
                    found[f"{detail.task_name}/{name}"] = Path(artefact.uri.replace("gs://", "/gcs/", 1))
        return found

    def schedules(self) -> tuple[Schedule, ...]:
        """Cloud Scheduler's jobs that ask for runs on Vertex AI, by name."""
        from pipelines.engines.vertex_runs import schedules

        return schedules(self._settings.access)

    def _create(self, job_id: str, job: dict[str, Any]) -> Any:
        """The job as Vertex AI took it; None if it has one of that id."""
        request = {"parent": self._settings.access.parent, "pipeline_job_id": job_id, "pipeline_job": job}
        try:
            with google_errors(f"submission of {job_id}"):
                return self._jobs.create_pipeline_job(request=request)
        except ConflictError:
            return None

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
            "service_account": self._settings.own_accounts.get(spec.pipeline, self._settings.service_account),
            **({"encryption_spec": {"kms_key_name": self._settings.key}} if self._settings.key else {}),
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
        try:
            with google_errors(f"run {run_id}"):
                return self._jobs.get_pipeline_job(name=self._name(run_id))
        except NotFoundError as error:
            place = self._settings.access.parent
            raise BadInputError(f"unknown run {run_id!r}", where=place, hint="fonderie runs list") from error


def _names(run: Run) -> str:
    return f"it has {', '.join(task.name for task in run.tasks) or 'none yet'}"
