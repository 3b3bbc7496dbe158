"""The engine on Vertex AI, over the real client library and an HTTP stand-in that checks every request."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from google.oauth2.credentials import Credentials

from ci.remote.engines import EngineName, open_engine
from fonderie.core.errors import BadInputError, RefusedError, StepFailedError
from fonderie.google import Access
from fonderie.sandbox.rest.discovery import RejectedError
from fonderie.sandbox.rest.jobs import task
from infra import names
from infra.constructs.retraining import execution
from infra.names import IdentityName
from infra.settings import Environment, load_environment
from infra.workloads import CompiledPipeline, PipelineName
from pipelines.compile import CompiledSpec, compile_pipeline
from pipelines.engines.engine import RunState, TaskRun, TaskState
from pipelines.engines.vertex import VertexEngine, VertexSettings
from pipelines.engines.waiting import UNREACHED_TRIES
from tests.google.server import Google, running

IMAGE = "europe-west1-docker.pkg.dev/acme/images/pipelines@sha256:" + "b" * 64
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
    google.scheduler.jobs.clear()
    return VertexEngine(settings, pause=pauses.append)


@pytest.fixture(scope="module")
def spec() -> CompiledSpec:
    return compile_pipeline("air_time", "training", IMAGE)


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


@pytest.mark.parametrize(
    ("pipeline", "account"), [("training", IdentityName.PIPELINES), ("monitoring", IdentityName.MONITORING)]
)
def test_each_pipeline_of_an_environment_runs_as_its_own_account_and_under_its_key(
    google: Google, monkeypatch: pytest.MonkeyPatch, pipeline: str, account: IdentityName
) -> None:
    prod = load_environment("prod")
    monkeypatch.setattr(
        "ci.remote.engines.access", lambda env: Access(env.project_id, env.region, endpoint=google.address)
    )
    engine = open_engine(EngineName.VERTEX, prod)
    compiled = compile_pipeline("air_time", pipeline, IMAGE)
    engine.submit(compiled, f"{pipeline}-air-time-1", {"month": "2013-04"})

    job = google.jobs.jobs[f"{prod_jobs(prod)}/{pipeline}-air-time-1"]
    assert job["serviceAccount"] == names.email(prod, account)
    assert job["encryptionSpec"] == {"kmsKeyName": names.key_path(prod, names.KeyName.DATA)}


def prod_jobs(env: Environment) -> str:
    return f"projects/{env.project_id}/locations/{env.region}/pipelineJobs"


def test_the_same_run_twice_is_one_job(engine: VertexEngine, google: Google, spec: CompiledSpec) -> None:
    first = engine.submit(spec, RUN_ID, RUN)
    again = engine.submit(spec, RUN_ID, RUN)

    assert (first.found, again.found) == (False, True)
    assert again.id == first.id
    assert len(google.jobs.jobs) == 1


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_run_that_failed_or_was_cancelled_is_run_anew_as_the_same_run(
    engine: VertexEngine, google: Google, spec: CompiledSpec, state: str
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    google.jobs.script.append((state, []))

    again = engine.submit(spec, RUN_ID, RUN)
    third = engine.submit(spec, RUN_ID, RUN)

    assert (again.id, again.found) == (f"{RUN_ID}-2", False)
    assert again.parameters == RUN  # what it registers is of the same run
    assert (third.id, third.found) == (f"{RUN_ID}-2", True)
    assert len(google.jobs.jobs) == 2


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

    with pytest.raises(StepFailedError, match=r"task train of run .*: out of memory") as error:
        engine.wait(RUN_ID)

    job = google.jobs.jobs[f"projects/acme/locations/europe-west1/pipelineJobs/{RUN_ID}"]
    (custom_job,) = (
        detail["executorDetail"]["containerDetail"]["mainJob"].rpartition("/")[2]
        for detail in job["jobDetail"]["taskDetails"]
        if detail["taskName"] == "train"
    )
    assert error.value.hint
    assert error.value.hint.startswith("its log: https://console.cloud.google.com/logs/query;query=")
    assert f'job_id="{custom_job}"' in unquote(error.value.hint)
    assert engine.logs(RUN_ID, "train").startswith("train: out of memory; https://console.cloud.google.com/logs")
    assert f"pipelines/runs/{RUN_ID}?project=acme" in engine.logs(RUN_ID)
    assert "DAG failed" not in engine.logs(RUN_ID)


def test_the_log_of_a_task_that_is_not_there_is_refused_by_name(
    engine: VertexEngine, google: Google, spec: CompiledSpec
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    google.jobs.script.append(("RUNNING", [task("extract", "RUNNING")]))

    with pytest.raises(BadInputError, match="no task 'trane'") as error:
        engine.logs(RUN_ID, "trane")
    assert error.value.hint == "it has extract"


def test_a_run_that_is_never_seen_again_says_how_to_take_up_the_waiting(
    engine: VertexEngine, google: Google, spec: CompiledSpec, pauses: list[float]
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    google.failures += [RejectedError(503, "UNAVAILABLE", "try again")] * UNREACHED_TRIES

    with pytest.raises(StepFailedError, match="the run can no longer be read") as error:
        engine.wait(RUN_ID)
    google.failures.clear()

    assert error.value.hint
    assert f"fonderie runs wait {RUN_ID}" in error.value.hint
    assert sum(pauses) >= 60  # minutes of patience, not a moment's


def test_waiting_for_a_run_that_was_cancelled_does_not_end_well(
    engine: VertexEngine, google: Google, spec: CompiledSpec
) -> None:
    engine.submit(spec, RUN_ID, RUN)
    engine.cancel(RUN_ID)

    with pytest.raises(StepFailedError, match="cancelled"):
        engine.wait(RUN_ID)


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

    engine.submit(spec, f"{RUN_ID}-other", RUN)
    google.jobs.jobs["projects/acme/locations/europe-west1/pipelineJobs/theirs"] = {"labels": {}}

    (run, _) = engine.list()
    assert [run.id for run in engine.list(1)] == [f"{RUN_ID}-other"]
    assert (run.id, run.model, run.parameters) == (RUN_ID, "air_time", RUN)


def test_the_schedules_of_the_delivery_stack_are_read_with_how_they_went(engine: VertexEngine, google: Google) -> None:
    env = load_environment("dev")
    pipeline = CompiledPipeline("air_time", PipelineName.TRAINING, "{}", "0" * 64)
    body = base64.b64encode(json.dumps(execution(pipeline)).encode()).decode()
    starts = {"httpTarget": {"uri": names.workflow_url(env, names.RETRAIN), "body": body}}
    place, about = "projects/acme/locations/europe-west1/jobs", {"schedule": "0 4 2 * *", "timeZone": "Europe/Paris"}
    failed = {"status": {"code": 7, "message": "denied"}, "lastAttemptTime": "2026-11-02T03:00:00.123456Z"}
    google.scheduler.jobs = [
        {"name": f"{place}/dev-training-air-time", "state": "ENABLED", **about, **starts, **failed},
        {"name": f"{place}/dev-nightly-drift", "state": "ENABLED", "httpTarget": {"uri": "https://x/triggers/1:run"}},
        {"name": f"{place}/a-paused", "state": "PAUSED", **about, **starts, "scheduleTime": "2026-12-02T03:00:00Z"},
        {"name": "projects/acme/locations/us-east1/jobs/elsewhere", "state": "ENABLED", **about, **starts},
    ]

    paused, training = engine.schedules()

    assert (training.name, training.model, training.pipeline) == ("dev-training-air-time", "air_time", "training")
    assert (training.cron, training.time_zone, training.paused) == ("0 4 2 * *", "Europe/Paris", False)
    assert (training.problem, training.next) == ("denied", None)
    assert training.last == datetime(2026, 11, 2, 3, 0, 0, 123456, tzinfo=UTC)
    assert (paused.name, paused.paused, paused.problem) == ("a-paused", True, None)


def test_schedules_that_may_not_be_read_are_refused_in_words(engine: VertexEngine, google: Google) -> None:
    google.failures.append(RejectedError(403, "PERMISSION_DENIED", "cloudscheduler.jobs.list denied"))

    with pytest.raises(RefusedError, match=r"cloudscheduler\.jobs\.list denied"):
        engine.schedules()


def test_an_image_without_digest_is_refused_before_anything_is_sent(engine: VertexEngine, google: Google) -> None:
    loose = compile_pipeline("air_time", "training", "europe-west1-docker.pkg.dev/acme/images/pipelines:latest")

    with pytest.raises(BadInputError, match="not pinned by digest"):
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
    with pytest.raises(BadInputError, match="unknown run 'nothing'"):
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
