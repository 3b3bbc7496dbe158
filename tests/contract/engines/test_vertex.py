"""The engine on Vertex AI, over the real client library and an HTTP stand-in that checks every request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.oauth2.credentials import Credentials

from fonderie.errors import BadInputError, RefusedError, StepFailedError
from fonderie.google import Access
from pipelines.compile import CompiledSpec, compiled
from pipelines.engines.engine import RunState, TaskRun, TaskState
from pipelines.engines.vertex import VertexEngine, VertexSettings
from tests.google.discovery import RejectedError
from tests.google.jobs import task
from tests.google.server import Google, running

IMAGE = "europe-west1-docker.pkg.dev/acme/images/training@sha256:" + "b" * 64
RUN = {"month": "2013-04", "run_id": "training-air-time-2013-04-abc", "registry": "", "commit": "c0ffee"}
RUN_ID = RUN["run_id"]


@pytest.fixture(scope="module")
def server() -> Iterator[Google]:
    with running() as google:
        yield google


@pytest.fixture
def google(server: Google) -> Google:
    server.jobs.jobs.clear()
    server.jobs.script.clear()
    server.calls.clear()
    server.refused.clear()
    return server


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def engine(google: Google, pauses: list[float]) -> VertexEngine:
    access = Access("acme", "europe-west1", endpoint=google.address, credentials=Credentials(token="of-the-test"))
    settings = VertexSettings(access, "gs://acme-root/runs", "pipelines@acme.iam.gserviceaccount.com", {"env": "dev"})
    return VertexEngine(settings, pause=pauses.append)


@pytest.fixture(scope="module")
def spec() -> CompiledSpec:
    return compiled("air_time", "training", IMAGE)


def test_the_spec_that_ships_is_submitted_as_it_is_and_accepted(
    engine: VertexEngine, google: Google, spec: CompiledSpec
) -> None:
    run = engine.submit(spec, RUN_ID, RUN)

    (call,) = [call for call in google.calls if call.method.endswith("pipelineJobs.create")]
    assert call.query["pipelineJobId"] == RUN_ID
    assert call.body["pipelineSpec"] == spec.read()
    assert call.body["serviceAccount"] == "pipelines@acme.iam.gserviceaccount.com"
    assert call.body["labels"]["env"] == "dev"
    assert google.refused == []
    assert (run.id, run.state, run.model, run.parameters) == (RUN_ID, RunState.RUNNING, "air_time", RUN)


def test_the_same_run_twice_is_one_job(engine: VertexEngine, google: Google, spec: CompiledSpec) -> None:
    first = engine.submit(spec, RUN_ID, RUN)

    assert engine.submit(spec, RUN_ID, RUN) == first
    assert len(google.jobs.jobs) == 1


def test_waiting_tells_each_task_once_a_state(
    engine: VertexEngine, google: Google, spec: CompiledSpec, pauses: list[float]
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    google.jobs.script += [
        ("RUNNING", [task("extract", "RUNNING")]),
        ("RUNNING", [task("extract", "RUNNING")]),
        ("SUCCEEDED", [task("extract", "SUCCEEDED"), task("train", "SUCCEEDED")]),
    ]
    told: list[TaskRun] = []

    run = engine.wait(RUN_ID, told.append)

    assert run.state is RunState.SUCCEEDED
    assert run.seconds == 30
    assert [(one.name, one.state) for one in told] == [
        ("extract", TaskState.RUNNING),
        ("extract", TaskState.SUCCEEDED),
        ("train", TaskState.SUCCEEDED),
    ]
    assert pauses == sorted(pauses)


def test_a_job_that_fails_names_the_task_its_words_and_the_log(
    engine: VertexEngine, google: Google, spec: CompiledSpec
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    google.jobs.script.append(("FAILED", [task("extract", "SUCCEEDED"), task("train", "FAILED", "out of memory")]))

    with pytest.raises(StepFailedError, match="task train: out of memory") as error:
        engine.wait(RUN_ID)

    assert error.value.hint
    assert f"pipelines/runs/{RUN_ID}?project=acme" in error.value.hint
    assert "train: out of memory" in engine.logs(RUN_ID, "train")


def test_a_network_that_is_cut_while_waiting_does_not_end_it(
    engine: VertexEngine, google: Google, spec: CompiledSpec
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    google.failures += [RejectedError(503, "UNAVAILABLE", "try again")] * 2
    google.jobs.script.append(("SUCCEEDED", []))

    assert engine.wait(RUN_ID).state is RunState.SUCCEEDED


def test_cancelling_a_run_stops_it_and_a_run_that_is_over_stays(
    engine: VertexEngine, google: Google, spec: CompiledSpec
) -> None:
    engine.submit(spec, RUN_ID, RUN)

    assert engine.cancel(RUN_ID).state is RunState.CANCELLED
    assert engine.cancel(RUN_ID).state is RunState.CANCELLED
    assert sum(call.method.endswith(".cancel") for call in google.calls) == 1


def test_runs_are_listed_by_our_label(engine: VertexEngine, google: Google, spec: CompiledSpec) -> None:
    engine.submit(spec, RUN_ID, RUN)

    assert [run.id for run in engine.list()] == [RUN_ID]
    assert google.calls[-1].query["filter"] == 'labels.managed_by="fonderie"'


def test_an_image_without_digest_is_refused_before_anything_is_sent(engine: VertexEngine, google: Google) -> None:
    loose = compiled("air_time", "training", "europe-west1-docker.pkg.dev/acme/images/training:latest")

    with pytest.raises(BadInputError, match="not named by digest"):
        engine.submit(loose, RUN_ID, RUN)
    assert google.calls == []


@pytest.mark.parametrize(
    ("change", "said"),
    [({"mont": "2013-04"}, "has no mont"), ({"month": None}, "needs month")],
)
def test_parameters_are_held_to_the_pipelines_signature(
    engine: VertexEngine, google: Google, spec: CompiledSpec, change: dict[str, str | None], said: str
) -> None:
    parameters = {name: value for name, value in (RUN | change).items() if value is not None}

    with pytest.raises(BadInputError, match=said):
        engine.submit(spec, RUN_ID, parameters)
    assert google.calls == []


def test_a_run_that_is_not_there_is_said(engine: VertexEngine) -> None:
    with pytest.raises(BadInputError, match="no run is called 'nothing'"):
        engine.get("nothing")


def test_a_quota_that_is_used_up_is_said_in_words(engine: VertexEngine, google: Google, spec: CompiledSpec) -> None:
    google.failures.append(RejectedError(429, "RESOURCE_EXHAUSTED", "Quota exceeded: custom_model_training_cpus"))

    with pytest.raises(RefusedError, match="custom_model_training_cpus"):
        engine.submit(spec, RUN_ID, RUN)


def test_the_stand_in_refuses_a_spec_that_refers_to_nothing(
    engine: VertexEngine, spec: CompiledSpec, tmp_path: Path
) -> None:
    document = spec.read()
    del document["components"]["comp-train"]
    broken = tmp_path / "spec.json"
    broken.write_text(json.dumps(document))

    with pytest.raises(BadInputError, match="comp-train, which is not there"):
        engine.submit(CompiledSpec(spec.name, spec.model, spec.pipeline, broken, spec.sha256), RUN_ID, RUN)
