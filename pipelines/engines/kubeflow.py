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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError, MissingToolError, RefusedError, StepFailedError
from ml.models import ModelConfig, load_model
from pipelines.compile import CompiledSpec
from pipelines.engines.engine import Progress, Run, RunState, Schedule, check_images, check_parameters
from pipelines.engines.kubeflow_runs import details, run_of, schedule_of
from pipelines.engines.waiting import wait_until_over

AGAIN = {RunState.FAILED, RunState.CANCELLED}
PAGE = 100
NEWEST_FIRST = "created_at desc"


@dataclass(frozen=True)
class KubeflowSettings:
    """Where Kubeflow answers, and as whom its pods run."""

    host: str  # what `kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80` opens: http://127.0.0.1:8080
    service_account: str  # the Kubernetes one, bound to an identity of Google's
    pipeline_root: str
    pool_label: str  # of the spot pool's nodes, and the key of its taint
    pool: str = "pipelines"
    own_accounts: Mapping[str, str] = field(default_factory=dict)  # of pipelines that do not run as service_account


class KubeflowEngine:
    """Runs pipelines on Kubeflow Pipelines 2, by its API at `settings.host`."""

    def __init__(self, settings: KubeflowSettings, *, pause: Callable[[float], None] = time.sleep) -> None:
        """`pause` waits between two looks, in seconds."""
        self._settings, self._pause = settings, pause
        import kfp

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that it speaks to Kubeflow Pipelines 2 only
            self._client = _reach(settings.host, lambda: kfp.Client(host=settings.host))

    def submit(self, spec: CompiledSpec, run_id: str, parameters: dict[str, str]) -> Run:
        """Create a run named `run_id`; a retry has the same name and the newest counts. Raises BadInputError."""
        document = spec.read()
        check_images(document, spec.path)
        check_parameters(document, parameters, where=spec.name)
        if (there := self._find(run_id)) is not None and (run := run_of(there)).state not in AGAIN:
            return run.model_copy(update={"found": True})
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "pipeline.yaml"  # JSON is YAML; two documents: the pipeline, what the cluster adds
            platforms = json.dumps(platform_spec(document, load_model(spec.model), self._settings))
            package.write_text(f"{json.dumps(document)}\n---\n{platforms}\n", encoding="utf-8")
            self._call(
                lambda: self._client.create_run_from_pipeline_package(
                    str(package),
                    arguments=dict(parameters),
                    run_name=run_id,
                    experiment_name=spec.name,
                    pipeline_root=self._settings.pipeline_root,
                    service_account=self._settings.own_accounts.get(spec.pipeline, self._settings.service_account),
                    enable_caching=False,
                )
            )
        return self.get(run_id)

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
        """The error of each failed task and the page with the pods' logs. Raises BadInputError for an unknown task."""
        run = self.get(run_id)
        if task is not None and task not in (names := [each.name for each in run.tasks]):
            raise BadInputError(f"the run has no task {task!r}", where=run_id, hint=f"it has {', '.join(names)}")
        lines = [f"{each.name}: {each.problem}" for each in run.tasks if each.problem and task in (None, each.name)]
        return "\n".join([*lines, self.link(run_id)])

    def link(self, run_id: str) -> str:
        """The run's page in Kubeflow's own interface."""
        found = self._find(run_id)
        return f"{self._settings.host}/#/runs/details/{found.run_id if found else ''}"

    def cancel(self, run_id: str) -> Run:
        """Terminate the run unless it is over. Raises BadInputError for an unknown run."""
        found = self._get(run_id)
        if not run_of(found).state.over:
            self._call(lambda: self._client.terminate_run(found.run_id))
        return self.get(run_id)

    def get(self, run_id: str) -> Run:
        """The newest run named `run_id`. Raises BadInputError if there is none."""
        return run_of(self._get(run_id))

    def list(self, last: int | None = None) -> tuple[Run, ...]:
        """The `last` runs, or all, oldest first, without their tasks."""
        found = islice(self._pages("runs", self._client.list_runs, sort_by=NEWEST_FIRST), last)
        return tuple(reversed([run_of(one) for one in found]))

    def artefacts(self, run_id: str) -> dict[str, Path]:
        """`task/output` -> path below the pipeline root under `/gcs`; empty where Kubeflow reports no outputs."""
        found = self._get(run_id)
        root = Path(self._settings.pipeline_root.replace("gs://", "/gcs/", 1)) / found.run_id
        return {
            f"{one.display_name}/{name}": root / one.display_name / name
            for one in details(found)
            for name in (one.outputs or {})
        }

    def schedules(self) -> tuple[Schedule, ...]:
        """Kubeflow's recurring runs, by name."""
        found = self._pages("recurring_runs", self._client.list_recurring_runs)
        return tuple(sorted(map(schedule_of, found), key=lambda schedule: schedule.name))

    def _call(self, call: Callable[[], Any]) -> Any:
        return _reach(self._settings.host, call)

    def _pages(self, field: str, listing: Callable[..., Any], **about: str) -> Iterator[Any]:
        """Everything of a listing, a page at a time."""
        token = ""
        while True:
            answer = self._call(partial(listing, page_token=token, page_size=PAGE, **about))
            yield from getattr(answer, field) or []
            if not (token := answer.next_page_token or ""):
                return

    def _find(self, run_id: str) -> Any:
        """The newest run of that name, or None."""
        wanted = {"predicates": [{"key": "name", "operation": "EQUALS", "stringValue": run_id}]}
        answer = self._call(
            lambda: self._client.list_runs(page_size=1, sort_by=NEWEST_FIRST, filter=json.dumps(wanted))
        )
        if not answer.runs:
            return None
        return self._call(lambda: self._client.get_run(answer.runs[0].run_id))

    def _get(self, run_id: str) -> Any:
        found = self._find(run_id)
        if found is None:
            raise BadInputError(f"unknown run {run_id!r}", where=self._settings.host, hint="fonderie runs list")
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
