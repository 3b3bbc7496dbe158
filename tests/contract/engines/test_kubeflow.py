"""The engine on Kubeflow, over its real client and an HTTP stand-in that answers in Kubeflow's own models."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from ci.remote.engines import EngineName, open_engine
from fonderie.core.errors import BadInputError, MissingToolError, StepFailedError
from fonderie.sandbox.rest.discovery import RejectedError
from infra.settings import load_environment
from infra.stacks.runtime import WORKLOADS
from ml.models import load_model
from pipelines.compile import CompiledSpec, compile_pipeline
from pipelines.engines.engine import RunState, TaskRun, TaskState
from pipelines.engines.kubeflow import KubeflowEngine, KubeflowSettings, platform_spec
from tests.kubeflow import Kubeflow, running, task

IMAGE = "europe-west1-docker.pkg.dev/acme/images/pipelines@sha256:" + "b" * 64
RUN_ID = "training-air-time-2013-04"
RUN = {"month": "2013-04", "run_id": RUN_ID, "registry": "", "commit": "c0ffee"}


@pytest.fixture
def kubeflow() -> Iterator[Kubeflow]:
    with running() as stand_in:
        yield stand_in


def settings(host: str) -> KubeflowSettings:
    return KubeflowSettings(host, "pipeline-runner", "gs://acme-root/runs", "fonderie.dev/pool")


@pytest.fixture
def engine(kubeflow: Kubeflow, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> KubeflowEngine:
    monkeypatch.setenv("HOME", str(tmp_path))  # the client keeps its context there
    return KubeflowEngine(settings(kubeflow.address), pause=lambda _: None)


@pytest.fixture(scope="module")
def spec() -> CompiledSpec:
    return compile_pipeline("air_time", "training", IMAGE)


def test_the_shipped_spec_is_submitted_with_what_only_the_cluster_knows_beside_it(
    engine: KubeflowEngine, kubeflow: Kubeflow, spec: CompiledSpec
) -> None:
    run = engine.submit(spec, RUN_ID, RUN)

    (sent,) = kubeflow.runs.values()
    assert sent["pipeline_spec"]["pipeline_spec"]["components"] == spec.read()["components"]
    assert sent["service_account"] == "pipeline-runner"
    assert (run.id, run.state, run.parameters["month"]) == (RUN_ID, RunState.RUNNING, "2013-04")


def test_each_pipeline_runs_as_its_own_account(
    kubeflow: Kubeflow, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    engine = open_engine(EngineName.KUBEFLOW, load_environment("dev"), host=kubeflow.address)
    for pipeline, account in (("training", "pipeline-runner"), ("monitoring", "monitoring-runner")):
        run_id = f"{pipeline}-air-time-1"
        engine.submit(compile_pipeline("air_time", pipeline, IMAGE), run_id, {"month": "2013-04"})
        (sent,) = (run for run in kubeflow.runs.values() if run["display_name"] == run_id)
        assert sent["service_account"] == account
        assert f"kubeflow/{account}" in WORKLOADS


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
    assert not engine.submit(spec, RUN_ID, RUN).found
    assert engine.submit(spec, RUN_ID, RUN).found

    assert len(kubeflow.runs) == 1


def test_a_run_that_failed_is_run_anew_and_the_newest_is_meant(
    engine: KubeflowEngine, kubeflow: Kubeflow, spec: CompiledSpec
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    kubeflow.script.append(("FAILED", []))

    again = engine.submit(spec, RUN_ID, RUN)

    assert (again.state, again.found) == (RunState.RUNNING, False)
    assert len(kubeflow.runs) == 2
    assert engine.link(RUN_ID).endswith("/r1")


def test_a_network_that_is_cut_while_waiting_does_not_end_it(
    engine: KubeflowEngine, kubeflow: Kubeflow, spec: CompiledSpec
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    kubeflow.failures += [RejectedError(503, "UNAVAILABLE", "try again")] * 2
    kubeflow.script.append(("SUCCEEDED", []))

    assert engine.wait(RUN_ID).state is RunState.SUCCEEDED


def test_all_pages_of_runs_are_listed_or_the_newest_the_oldest_first(
    engine: KubeflowEngine, spec: CompiledSpec
) -> None:
    ids = [f"{RUN_ID}-{number}" for number in range(5)]
    for run_id in ids:
        engine.submit(spec, run_id, RUN)

    assert [run.id for run in engine.list()] == ids
    assert [run.id for run in engine.list(3)] == ids[2:]
    assert {(run.pipeline, run.model) for run in engine.list()} == {("training", "air_time")}


def test_recurring_runs_are_schedules(engine: KubeflowEngine, kubeflow: Kubeflow) -> None:
    pipeline = {"pipelineInfo": {"name": "monitoring-late-arrival"}}
    cron = {"trigger": {"cron_schedule": {"cron": "0 0 5 * * *"}}, "status": "ENABLED", "pipeline_spec": pipeline}
    every = {"trigger": {"periodic_schedule": {"interval_second": "3600"}}, "status": "DISABLED"}
    kubeflow.recurring += [{"display_name": "nightly", **cron}, {"display_name": "hourly", **every}]

    hourly, nightly = engine.schedules()

    assert (hourly.name, hourly.cron, hourly.paused) == ("hourly", "every 3600 s", True)
    assert (nightly.cron, nightly.paused) == ("0 0 5 * * *", False)
    assert (nightly.pipeline, nightly.model) == ("monitoring", "late_arrival")


def test_a_task_that_is_not_there_is_said(engine: KubeflowEngine, kubeflow: Kubeflow, spec: CompiledSpec) -> None:
    engine.submit(spec, RUN_ID, RUN)
    kubeflow.script += [("RUNNING", [task("extract", "RUNNING"), task("extract-driver", "SUCCEEDED")])]

    with pytest.raises(BadInputError, match="no task 'trane'") as error:
        engine.logs(RUN_ID, "trane")
    assert error.value.hint == "it has extract"


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

    with pytest.raises(StepFailedError, match=r"task train of run .*: OOMKilled") as error:
        engine.wait(RUN_ID)

    assert error.value.hint
    assert "/#/runs/details/r0" in error.value.hint
    assert "OOMKilled" in engine.logs(RUN_ID)


def test_a_run_can_be_cancelled(engine: KubeflowEngine, kubeflow: Kubeflow, spec: CompiledSpec) -> None:
    engine.submit(spec, RUN_ID, RUN)

    assert engine.cancel(RUN_ID).state is RunState.CANCELLED
    with pytest.raises(StepFailedError, match="cancelled"):
        engine.wait(RUN_ID)
    assert [run.id for run in engine.list()] == [RUN_ID]


def test_an_unpinned_image_and_an_unknown_run_are_refused(engine: KubeflowEngine, kubeflow: Kubeflow) -> None:
    with pytest.raises(BadInputError, match="not pinned by digest"):
        engine.submit(compile_pipeline("air_time", "training", "training:latest"), RUN_ID, RUN)
    with pytest.raises(BadInputError, match="unknown run"):
        engine.get("nothing")
    assert kubeflow.runs == {}


def test_a_cluster_that_does_not_answer_is_said_with_the_command_that_opens_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    with pytest.raises(MissingToolError, match="does not answer") as error:
        KubeflowEngine(settings(f"http://127.0.0.1:{port}")).list()

    assert error.value.hint
    assert "port-forward" in error.value.hint
