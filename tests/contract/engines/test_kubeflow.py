"""The engine on Kubeflow, over its real client and an HTTP stand-in that answers in Kubeflow's own models."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from fonderie.errors import BadInputError, MissingToolError, StepFailedError
from ml.config import load_model
from pipelines.compile import CompiledSpec, compiled
from pipelines.engines.engine import RunState, TaskRun, TaskState
from pipelines.engines.kubeflow import KubeflowEngine, KubeflowSettings, platform_spec
from tests.google.discovery import RejectedError
from tests.google.jobs import ENDED, STARTED, check_spec

IMAGE = "europe-west1-docker.pkg.dev/acme/images/training@sha256:" + "b" * 64
RUN_ID = "training-air-time-2013-04"
RUN = {"month": "2013-04", "run_id": RUN_ID, "registry": "", "commit": "c0ffee"}


@dataclass
class Kubeflow:
    """Runs by id. `script` holds what later looks will show: (state, tasks)."""

    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    experiments: list[dict[str, Any]] = field(default_factory=list)
    script: list[tuple[str, list[dict[str, Any]]]] = field(default_factory=list)
    address: str = ""

    async def answer(self, request: Request) -> JSONResponse:
        try:
            return JSONResponse(self._answer(request, json.loads(await request.body() or b"{}")))
        except RejectedError as error:
            return JSONResponse({"error": error.message, "code": 3, "message": error.message}, status_code=error.status)

    def _answer(self, request: Request, body: dict[str, Any]) -> dict[str, Any]:
        path = request.url.path.removeprefix("/apis/v2beta1/")
        match request.method, path.partition("/")[0], path:
            case "GET", "healthz", _:
                return {"multi_user": False}
            case "GET", "experiments", _:
                return {"experiments": self.experiments}
            case "POST", "experiments", _:
                self.experiments.append({**body, "experiment_id": f"e{len(self.experiments)}"})
                return self.experiments[-1]
            case "POST", "runs", "runs":
                return self._create(body)
            case "GET", "runs", "runs":
                wanted = json.loads(request.query_params.get("filter", "{}")).get("predicates", [])
                names = {one["stringValue"] for one in wanted}
                return {"runs": [run for run in self.runs.values() if not names or run["display_name"] in names]}
            case "GET", "runs", _:
                return self._look(path.partition("/")[2])
            case "POST", "runs", _:
                self.runs[path.partition("/")[2].removesuffix(":terminate")]["state"] = "CANCELED"
                return {}
        raise RejectedError(404, "NOT_FOUND", path)

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        document = body["pipeline_spec"]
        check_spec(document["pipeline_spec"], body["runtime_config"]["parameters"])
        for executor in document["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
            json_format.ParseDict(executor, kubernetes_executor_config_pb2.KubernetesExecutorConfig())
        run = {**body, "run_id": f"r{len(self.runs)}", "created_at": STARTED, "state": "PENDING"}
        self.runs[run["run_id"]] = run
        return run

    def _look(self, run_id: str) -> dict[str, Any]:
        run = self.runs[run_id]
        if self.script:
            state, tasks = self.script.pop(0)
            run |= {"state": state, "run_details": {"task_details": tasks}}
            if state in {"SUCCEEDED", "FAILED"}:
                run["finished_at"] = ENDED
        return run


def task(name: str, state: str, message: str = "") -> dict[str, Any]:
    detail: dict[str, Any] = {"display_name": name, "state": state, "start_time": STARTED}
    if state in {"SUCCEEDED", "FAILED"}:
        detail["end_time"] = ENDED
    return detail | ({"error": {"code": 9, "message": message}} if message else {})


@pytest.fixture
def kubeflow() -> Iterator[Kubeflow]:
    stand_in = Kubeflow()
    app = Starlette(routes=[Route("/{path:path}", stand_in.answer, methods=["GET", "POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    stand_in.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield stand_in
    server.should_exit = True
    thread.join(timeout=5)
    listener.close()


def settings(host: str) -> KubeflowSettings:
    return KubeflowSettings(host, "pipeline-runner", "gs://acme-root/runs", "fonderie.dev/pool")


@pytest.fixture
def engine(kubeflow: Kubeflow, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> KubeflowEngine:
    monkeypatch.setenv("HOME", str(tmp_path))  # the client keeps its context there
    return KubeflowEngine(settings(kubeflow.address), load_model("air_time"), pause=lambda _: None)


@pytest.fixture(scope="module")
def spec() -> CompiledSpec:
    return compiled("air_time", "training", IMAGE)


def test_the_shipped_spec_is_submitted_with_what_only_the_cluster_knows_beside_it(
    engine: KubeflowEngine, kubeflow: Kubeflow, spec: CompiledSpec
) -> None:
    run = engine.submit(spec, RUN_ID, RUN)

    (sent,) = kubeflow.runs.values()
    assert sent["pipeline_spec"]["pipeline_spec"]["components"] == spec.read()["components"]
    assert sent["service_account"] == "pipeline-runner"
    assert (run.id, run.state, run.parameters["month"]) == (RUN_ID, RunState.RUNNING, "2013-04")


def test_spot_tasks_and_no_others_go_to_the_spot_pool(spec: CompiledSpec) -> None:
    config = load_model("air_time")
    document = spec.read()

    executors = platform_spec(document, config, settings("x"))["platforms"]["kubernetes"]["deploymentSpec"]["executors"]

    for label, added in executors.items():
        wanted = config.task_compute(label.removeprefix("exec-"))
        assert ("tolerations" in added) == wanted.spot
        assert added["activeDeadlineSeconds"] == str(wanted.timeout_s)
    assert set(executors) == set(document["deploymentSpec"]["executors"])


def test_the_same_run_twice_is_one_run(engine: KubeflowEngine, kubeflow: Kubeflow, spec: CompiledSpec) -> None:
    engine.submit(spec, RUN_ID, RUN)
    engine.submit(spec, RUN_ID, RUN)

    assert len(kubeflow.runs) == 1


def test_waiting_tells_tasks_and_ends_with_the_run(
    engine: KubeflowEngine, kubeflow: Kubeflow, spec: CompiledSpec
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    kubeflow.script += [("RUNNING", [task("extract", "RUNNING")]), ("SUCCEEDED", [task("extract", "SUCCEEDED")])]
    told: list[TaskRun] = []

    run = engine.wait(RUN_ID, told.append)

    assert (run.state, run.seconds) == (RunState.SUCCEEDED, 30)
    assert [one.state for one in told] == [TaskState.RUNNING, TaskState.SUCCEEDED]


def test_a_failed_run_names_the_task_and_the_page(
    engine: KubeflowEngine, kubeflow: Kubeflow, spec: CompiledSpec
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    kubeflow.script.append(("FAILED", [task("train", "FAILED", "OOMKilled")]))

    with pytest.raises(StepFailedError, match="task train: OOMKilled") as error:
        engine.wait(RUN_ID)

    assert error.value.hint
    assert "/#/runs/details/r0" in error.value.hint
    assert "OOMKilled" in engine.logs(RUN_ID)


def test_a_run_can_be_cancelled(engine: KubeflowEngine, kubeflow: Kubeflow, spec: CompiledSpec) -> None:
    engine.submit(spec, RUN_ID, RUN)

    assert engine.cancel(RUN_ID).state is RunState.CANCELLED
    assert [run.id for run in engine.list()] == [RUN_ID]


def test_an_unpinned_image_and_an_unknown_run_are_refused(engine: KubeflowEngine, kubeflow: Kubeflow) -> None:
    with pytest.raises(BadInputError, match="not named by digest"):
        engine.submit(compiled("air_time", "training", "training:latest"), RUN_ID, RUN)
    with pytest.raises(BadInputError, match="no run is called"):
        engine.get("nothing")
    assert kubeflow.runs == {}


def test_a_cluster_that_does_not_answer_is_said_with_the_command_that_opens_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(MissingToolError, match="does not answer") as error:
        KubeflowEngine(settings(f"http://127.0.0.1:{port}"), load_model("air_time")).list()

    assert error.value.hint
    assert "port-forward" in error.value.hint
