"""Vertex AI Pipelines: a job's spec is checked as a PipelineSpec message, its references resolved. Nothing is run.

Source: REST reference of `projects.locations.pipelineJobs`.
"""

from __future__ import annotations

import copy
import re
import zlib
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from fonderie.sandbox.rest.discovery import Call, RejectedError

STARTED, ENDED = "2026-11-22T10:00:00Z", "2026-11-22T10:00:30Z"


@dataclass
class Jobs:
    """Jobs by name. `script` holds what later looks at a job will show: (state, tasks) one after the other."""

    jobs: MutableMapping[str, dict[str, Any]] = field(default_factory=dict)
    script: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    now: Callable[[], str] = lambda: STARTED

    def handle(self, call: Call) -> dict[str, Any]:
        """Answer one call."""
        match call.method.removeprefix("aiplatform.projects.locations.pipelineJobs."):
            case "create":
                return self._create(
                    call.path["parent"], call.query.get("pipelineJobId") or f"job-{len(self.jobs) + 1}", call.body
                )
            case "get":
                return self._look(call.path["name"])
            case "list":
                return self._list(call.path["parent"], call.query)
            case "cancel":
                job = self._find(call.path["name"])
                self.jobs[job["name"]] = job | {"state": "PIPELINE_STATE_CANCELLED"}
                return {}
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    def _create(self, parent: str, job_id: str, body: dict[str, Any]) -> dict[str, Any]:
        name = f"{parent}/pipelineJobs/{job_id}"
        if not re.fullmatch(r"[a-z][-a-z0-9]{0,127}", job_id):
            raise RejectedError(400, "INVALID_ARGUMENT", f"PipelineJob ID is invalid: {job_id}")
        if name in self.jobs:
            raise RejectedError(409, "ALREADY_EXISTS", f"PipelineJob {name} already exists.")
        if "pipelineSpec" not in body and "templateUri" not in body:
            raise _rejected("Required field is not set: pipeline_job.pipeline_spec")
        if "pipelineSpec" in body:
            check_spec(body["pipelineSpec"], body.get("runtimeConfig", {}).get("parameterValues", {}))
        job = {**copy.deepcopy(body), "name": name, "createTime": self.now(), "state": "PIPELINE_STATE_PENDING"}
        self.jobs[name] = job
        return job

    def _list(self, parent: str, query: dict[str, str]) -> dict[str, Any]:
        """A page of jobs, the newest first, with the label that is asked for and the fields of the mask."""
        found = [job for name, job in reversed([*self.jobs.items()]) if name.startswith(f"{parent}/pipelineJobs/")]
        if wanted := query.get("filter"):
            label = re.fullmatch(r'labels\.(\w+)="(.*)"', wanted)
            if label is None:
                raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox lists no jobs by {wanted}")
            found = [job for job in found if job.get("labels", {}).get(label[1]) == label[2]]
        start, size = int(query.get("pageToken", 0)), int(query.get("pageSize", 100))
        fields = [field for field in query.get("readMask", "*").split(",") if field != "*"]
        page = [{field: job[field] for field in fields or job if field in job} for job in found[start : start + size]]
        more = {"nextPageToken": str(start + size)} if start + size < len(found) else {}
        return {"pipelineJobs": page, **more}

    def _find(self, name: str) -> dict[str, Any]:
        if name not in self.jobs:
            raise RejectedError(404, "NOT_FOUND", f"The PipelineJob does not exist: {name}")
        return self.jobs[name]

    def _look(self, name: str) -> dict[str, Any]:
        job = self._find(name)
        if self.script:
            state, tasks = self.script.pop(0)
            job |= {"state": f"PIPELINE_STATE_{state}", "jobDetail": {"taskDetails": _details(job, state, tasks)}}
            if state in {"SUCCEEDED", "FAILED", "CANCELLED"}:
                job["endTime"] = ENDED
            self.jobs[name] = job
        return job


def _details(job: dict[str, Any], state: str, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As Vertex AI tells them: the pipeline itself first, which fails with its tasks; all ids are 64 bits as text."""
    root = task(job["displayName"], state, "The DAG failed because some tasks failed." if state == "FAILED" else "")
    del root["executorDetail"]
    numbered = [{**one, "taskId": str(i), "parentTaskId": "-1"} for i, one in enumerate(tasks, start=1)]
    return [{**root, "taskId": "-1"}, *numbered]


def task(name: str, state: str, message: str = "") -> dict[str, Any]:
    """The detail of one task, run by a custom job."""
    job = f"projects/412345678901/locations/europe-west1/customJobs/{zlib.crc32(name.encode())}"
    detail = {
        "taskName": name,
        "state": state,
        "startTime": STARTED,
        "executorDetail": {"containerDetail": {"mainJob": job}},
    }
    if state in {"SUCCEEDED", "FAILED"}:
        detail["endTime"] = ENDED
    if message:
        detail |= {"error": {"code": 9, "message": message}}
    return detail


def check_spec(document: dict[str, Any], parameters: dict[str, Any]) -> None:
    """Raises RejectedError for a document that is not a PipelineSpec, has a broken reference, or lacks a parameter."""
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    try:
        spec = json_format.ParseDict(document, pipeline_spec_pb2.PipelineSpec())
    except json_format.ParseError as error:
        raise _rejected(f"pipelineSpec: {error}") from error
    executors = document.get("deploymentSpec", {}).get("executors", {})
    for name, component in spec.components.items():
        if component.executor_label and component.executor_label not in executors:
            raise _rejected(f"component {name} refers to executor {component.executor_label}, which is not there")
    for dag in [spec.root.dag, *(component.dag for component in spec.components.values())]:
        for name, one in dag.tasks.items():
            if one.component_ref.name not in spec.components:
                raise _rejected(f"task {name} refers to component {one.component_ref.name}, which is not there")
            for needed in one.dependent_tasks:
                if needed not in dag.tasks:
                    raise _rejected(f"task {name} depends on {needed}, which is not there")
    known = spec.root.input_definitions.parameters
    for name in parameters:
        if name not in known:
            raise _rejected(f"parameter {name} is not an input of the pipeline")
    for name, definition in known.items():
        has_default = definition.HasField("default_value") or definition.is_optional
        if not has_default and name not in parameters:
            raise _rejected(f"parameter {name} is required")


def _rejected(message: str) -> RejectedError:
    return RejectedError(400, "INVALID_ARGUMENT", message)
