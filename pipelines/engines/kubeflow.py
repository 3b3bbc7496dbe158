"""Pipelines on Kubeflow, on the cluster that the runtime stack made and Config Sync filled.

The shared definition says nothing of Kubernetes: what only a cluster knows, the spot pool's toleration and node
selector, is laid beside the spec here. Kubeflow gives runs ids of its own; the run's name is ours and is looked up, so
submitting the same run twice is one run.

Source: Kubeflow Pipelines API v2beta1; kfp-kubernetes' KubernetesExecutorConfig.
"""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonderie.errors import BadInputError, MissingToolError, RefusedError, StepFailedError
from ml.config import ModelConfig
from pipelines.compile import CompiledSpec
from pipelines.engines.engine import Progress, Run, RunState, TaskRun, TaskState
from pipelines.engines.vertex import check_images, check_parameters

STATES = {
    "SUCCEEDED": RunState.SUCCEEDED,
    "FAILED": RunState.FAILED,
    "CANCELED": RunState.CANCELLED,
    "SKIPPED": RunState.SUCCEEDED,
}
TASK_STATES = {"SUCCEEDED": TaskState.SUCCEEDED, "SKIPPED": TaskState.SUCCEEDED, "FAILED": TaskState.FAILED}
LONGEST_PAUSE_S = 20.0
PAGE = 100


@dataclass(frozen=True)
class KubeflowSettings:
    """Where Kubeflow answers, and as whom its pods run."""

    host: str  # what `kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80` opens: http://127.0.0.1:8080
    service_account: str  # the Kubernetes one, bound to the pipelines identity
    pipeline_root: str
    pool_label: str  # of the spot pool's nodes, and the key of its taint
    pool: str = "pipelines"


class KubeflowEngine:
    """See Engine."""

    def __init__(
        self, settings: KubeflowSettings, config: ModelConfig, *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        """`config` says which tasks may run on spot nodes; `pause` waits between two looks, in seconds."""
        self._settings, self._config, self._pause = settings, config, pause
        import kfp

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that it speaks to Kubeflow Pipelines 2 only
            self._client = _reach(settings.host, lambda: kfp.Client(host=settings.host))

    def submit(self, spec: CompiledSpec, run_id: str, parameters: dict[str, str]) -> Run:
        """See Engine. A run of that name which is there already is returned as it is. Raises BadInputError."""
        document = spec.read()
        check_images(document, spec.path)
        check_parameters(document, parameters, where=spec.name)
        if (there := self._find(run_id)) is not None:
            return _run(there)
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "pipeline.yaml"  # JSON is YAML; two documents: the pipeline, what the cluster adds
            platforms = json.dumps(platform_spec(document, self._config, self._settings))
            package.write_text(f"{json.dumps(document)}\n---\n{platforms}\n", encoding="utf-8")
            self._call(
                lambda: self._client.create_run_from_pipeline_package(
                    str(package),
                    arguments=dict(parameters),
                    run_name=run_id,
                    experiment_name=spec.name,
                    pipeline_root=self._settings.pipeline_root,
                    service_account=self._settings.service_account,
                    enable_caching=False,
                )
            )
        return self.get(run_id)

    def wait(self, run_id: str, progress: Progress | None = None) -> Run:
        """See Engine."""
        told: dict[str, TaskState] = {}
        pause = 1.0
        while True:
            run = self.get(run_id)
            for task in run.tasks:
                if progress and told.get(task.name) is not task.state:
                    progress(task)
                told[task.name] = task.state
            if run.state.over:
                break
            self._pause(pause)
            pause = min(pause * 1.3, LONGEST_PAUSE_S)
        if run.state is RunState.FAILED:
            raise StepFailedError(run.problem or "failed", where=f"run {run_id}", hint=f"logs: {self.link(run_id)}")
        return run

    def logs(self, run_id: str, task: str | None = None) -> str:
        """See Engine: what failed, and the page that shows every pod's log."""
        details = (self._get(run_id).run_details or _NO_DETAILS).task_details or []
        lines = [
            f"{one.display_name}: {one.error.message}"
            for one in details
            if one.error and task in (None, one.display_name)
        ]
        return "\n".join([*lines, self.link(run_id)])

    def cancel(self, run_id: str) -> Run:
        """See Engine."""
        found = self._get(run_id)
        if not _run(found).state.over:
            self._call(lambda: self._client.terminate_run(found.run_id))
        return self.get(run_id)

    def get(self, run_id: str) -> Run:
        """See Engine."""
        return _run(self._get(run_id))

    def list(self) -> tuple[Run, ...]:
        """See Engine."""
        answer = self._call(lambda: self._client.list_runs(page_size=PAGE, sort_by="created_at"))
        return tuple(_run(one) for one in answer.runs or [])

    def artefacts(self, run_id: str) -> dict[str, Path]:
        """See Engine: below the pipeline root, as paths under `/gcs`."""
        found = self._get(run_id)
        root = Path(self._settings.pipeline_root.replace("gs://", "/gcs/", 1)) / found.run_id
        details = (found.run_details or _NO_DETAILS).task_details or []
        return {
            f"{one.display_name}/{name}": root / one.display_name / name
            for one in details
            for name in (one.outputs or {})
        }

    def link(self, run_id: str) -> str:
        """The run's page in Kubeflow's own interface."""
        found = self._find(run_id)
        return f"{self._settings.host}/#/runs/details/{found.run_id if found else ''}"

    def _call(self, call: Callable[[], Any]) -> Any:
        return _reach(self._settings.host, call)

    def _find(self, run_id: str) -> Any:
        """The run of that name, or None."""
        wanted = {"predicates": [{"key": "name", "operation": "EQUALS", "stringValue": run_id}]}
        answer = self._call(lambda: self._client.list_runs(page_size=1, filter=json.dumps(wanted)))
        if not answer.runs:
            return None
        return self._call(lambda: self._client.get_run(answer.runs[0].run_id))

    def _get(self, run_id: str) -> Any:
        found = self._find(run_id)
        if found is None:
            raise BadInputError(f"no run is called {run_id!r}", where=self._settings.host, hint="fonderie runs list")
        return found


def platform_spec(document: dict[str, Any], config: ModelConfig, settings: KubeflowSettings) -> dict[str, Any]:
    """What the cluster adds to each executor: spot tasks go to the spot pool and tolerate its taint; time-outs."""
    executors = {}
    for label in sorted(document["deploymentSpec"]["executors"]):
        task = config.task_compute(label.removeprefix("exec-"))
        added: dict[str, Any] = {"activeDeadlineSeconds": str(task.timeout_s)}
        if task.spot:
            added["nodeSelector"] = {"labels": {settings.pool_label: settings.pool}}
            added["tolerations"] = [
                {"key": settings.pool_label, "operator": "Equal", "value": settings.pool, "effect": "NoSchedule"}
            ]
        executors[label] = added
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


class _NoDetails:
    task_details: tuple[Any, ...] = ()


_NO_DETAILS = _NoDetails()


def _reach(host: str, call: Callable[[], Any]) -> Any:
    """Call Kubeflow's client; what it raises becomes one of ours."""
    import kfp_server_api
    from urllib3.exceptions import HTTPError

    try:
        return call()
    except HTTPError as error:
        raise MissingToolError(
            f"Kubeflow does not answer: {type(error).__name__}",
            where=host,
            hint="kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80",
        ) from error
    except kfp_server_api.ApiException as error:
        words = f"{error.status} {error.reason}: {str(error.body)[:300]}"
        if error.status in {401, 403}:
            raise RefusedError(words, where=host, hint="does your account reach the cluster?") from error
        if error.status == 400:
            raise BadInputError(words, where=host) from error
        raise StepFailedError(words, where=host, hint="run it again") from error


def _run(found: Any) -> Run:
    details = [one for one in (found.run_details or _NO_DETAILS).task_details or [] if one.start_time]
    failed = [f"task {one.display_name}: {one.error.message}" for one in details if one.error and one.error.message]
    parameters = (found.runtime_config.parameters if found.runtime_config else None) or {}
    over = STATES.get(found.state, RunState.RUNNING)
    return Run(
        id=found.display_name,
        pipeline=found.display_name.partition("-")[0],
        model=str(parameters.get("model", "")),
        parameters={name: str(value) for name, value in parameters.items()},
        spec_sha256="",
        state=over,
        started=found.created_at,
        finished=found.finished_at if over.over else None,
        tasks=tuple(_task(one) for one in details),
        problem="; ".join(failed) or (found.error.message if found.error else None),
    )


def _task(one: Any) -> TaskRun:
    seconds = (one.end_time - one.start_time).total_seconds() if one.end_time else None
    return TaskRun(name=one.display_name, state=TASK_STATES.get(one.state, TaskState.RUNNING), seconds=seconds)
