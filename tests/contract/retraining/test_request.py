"""What monitoring publishes is what the platform's workflow reads, and what both call the run is the same."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from google.oauth2.credentials import Credentials

from fonderie.google import Access
from fonderie.sandbox.rest.discovery import RejectedError
from infra import names
from infra.constructs.retraining import source
from infra.settings import Environment, load_environment
from infra.workloads import CompiledPipeline, PipelineName
from ml.monitoring.messages import RetrainRequest
from ml.monitoring.trigger import Action, TriggerDecision
from pipelines.compile import compile_pipeline
from pipelines.engines.vertex import VertexEngine, VertexSettings
from tests.contract.retraining.workflow import WorkflowError, run
from tests.google.server import Google, running

INFRA = Path("infra")
DEV = load_environment("dev")


def workflow_of(env: Environment, *models: str) -> Any:
    """As the platform ships it, for `models`.

    In Workflows `not` is a function and an operator; in the grammar of Python, which is borrowed here, only that.
    """
    given = {"registry": "r", "month": "latest"}
    pairs = [(model, pipeline) for model in models for pipeline in PipelineName]
    pipelines = [CompiledPipeline(*pair, "{}", "abc" * 16, given) for pair in pairs]
    return yaml.safe_load(source(env, pipelines).replace("${not(", "${not ("))


WORKFLOW = workflow_of(DEV, "air_time")

IMAGE = "europe-west1-docker.pkg.dev/p/images/pipelines@sha256:" + "b" * 64
TEMPLATES = {name: names.template("air_time", name, "abc" * 16) for name in PipelineName}
ENV = {
    "PROJECT": "p",
    "REGION": "europe-west1",
    "TEMPLATES_BUCKET": "p-templates",
    "PIPELINE_ROOT": "gs://p-artefacts/runs",
}
PIPELINES, MONITORING = (names.email(DEV, who) for who in (names.IdentityName.PIPELINES, names.IdentityName.MONITORING))
REQUEST = RetrainRequest(model="air_time", month="2013-05", reason="error: mae error")
JOBS = "projects/p/locations/europe-west1/pipelineJobs"
FIRST, SECOND, THIRD = (f"{JOBS}/{REQUEST.job_id}{attempt}" for attempt in ("", "-2", "-3"))


class Workflows:
    """Runs the workflow's own text; its calls go over HTTP to the stand-in, which checks each by Google's documents."""

    def __init__(self, google: Google) -> None:
        self.google, self.said = google, []
        self.calls = {
            "googleapis.storage.v1.objects.get": self.fetch,
            "http.post": lambda **call: self.ask("POST", **call),
            "http.get": lambda **call: self.ask("GET", **call),
            "sys.log": lambda **said: self.said.append(said["json"]),
        }

    def run(self, message: bytes = REQUEST.message()) -> Any:
        """With a message as Eventarc hands it over."""
        data = {"message": {"data": base64.b64encode(message).decode(), "attributes": {}}}
        return run(WORKFLOW, {"data": data}, ENV, self.calls)

    def scheduled(self, pipeline: str, at: datetime, *, env: Environment = DEV, model: str = "air_time") -> Any:
        """With the argument of Cloud Scheduler's call."""
        workflow = workflow_of(env, "air_time")
        return run(workflow, {"model": model, "pipeline": pipeline}, ENV, self.calls, at.timestamp())

    def fetch(self, *, bucket: str, object: str, alt: str) -> Any:
        url = f"{self.google.address}/storage/v1/b/{bucket}/o/{object}"
        return httpx.get(url, params={"alt": alt}).raise_for_status().json()

    def ask(self, method: str, *, url: str, auth: Any, body: Any = None) -> Any:
        assert auth == {"type": "OAuth2"}
        url = url.replace("https://europe-west1-aiplatform.googleapis.com", self.google.address)
        answer = httpx.request(method, url, json=body)
        if answer.is_error:
            raise WorkflowError({"code": answer.status_code, "tags": ["HttpError"]})
        return {"body": answer.json()}


@pytest.fixture(scope="module")
def server() -> Iterator[Google]:
    with running() as google:
        yield google


@pytest.fixture
def workflows(server: Google, spec: bytes) -> Workflows:
    server.start_anew()
    server.make_bucket("p-templates", dict.fromkeys(TEMPLATES.values(), spec))
    return Workflows(server)


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FONDERIE_HOME", str(tmp_path_factory.mktemp("home")))
        yield compile_pipeline("air_time", "training", IMAGE).path.read_bytes()


def ends(google: Google, name: str, state: str) -> None:
    google.jobs.jobs[name]["state"] = f"PIPELINE_STATE_{state}"


def test_a_published_request_starts_the_training_pipeline_of_its_month(workflows: Workflows, spec: bytes) -> None:
    assert workflows.run() == FIRST

    ((name, job),) = workflows.google.jobs.jobs.items()
    assert name == FIRST
    given = job["runtimeConfig"]["parameterValues"]
    assert given == {"registry": "r", "month": "2013-05", "run_id": REQUEST.job_id}
    assert job["serviceAccount"] == PIPELINES
    assert job["labels"] == {
        **DEV.all_labels,
        "model": "air_time",
        "pipeline": "training",
        "reason": "retrain",
        "month": "2013-05",
    }
    assert job["pipelineSpec"] == json.loads(spec)
    assert workflows.google.refused == []
    assert workflows.said == [{"event": "run_started", "job": REQUEST.job_id, "reason": REQUEST.reason}]


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "SUCCEEDED", "CANCELLING", "PAUSED"])
def test_the_second_request_for_a_month_is_a_success_without_a_second_run(workflows: Workflows, state: str) -> None:
    workflows.run()
    ends(workflows.google, FIRST, state)

    assert workflows.run() == REQUEST.job_id

    assert list(workflows.google.jobs.jobs) == [FIRST]
    said = {"event": "run_duplicate", "job": REQUEST.job_id, "state": f"PIPELINE_STATE_{state}"}
    assert workflows.said[1:] == [said]


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_month_whose_training_failed_is_trained_on_again_by_the_next_request(
    workflows: Workflows, state: str
) -> None:
    workflows.run()
    ends(workflows.google, FIRST, state)

    assert workflows.run() == SECOND
    assert workflows.run() == f"{REQUEST.job_id}-2"
    ends(workflows.google, SECOND, state)
    assert workflows.run() == THIRD

    jobs = workflows.google.jobs.jobs
    assert list(jobs) == [FIRST, SECOND, THIRD]
    assert {job["runtimeConfig"]["parameterValues"]["run_id"] for job in jobs.values()} == {REQUEST.job_id}
    events = [each["event"].removeprefix("run_") for each in workflows.said]
    assert events == ["started", "started", "duplicate", "started"]


def test_another_month_is_another_run(workflows: Workflows) -> None:
    workflows.run()
    other = REQUEST.model_copy(update={"month": "2013-06"})

    assert workflows.run(other.message()) == f"{JOBS}/{other.job_id}"


def test_both_sides_of_a_retraining_name_a_second_attempt_the_same(workflows: Workflows) -> None:
    """The engine that finds the runs again (`pipelines/engines/vertex.py`), and the workflow."""
    google = workflows.google
    workflows.run()
    ends(google, FIRST, "FAILED")
    access = Access("p", "europe-west1", endpoint=google.address, credentials=Credentials(token="of-the-test"))
    engine = VertexEngine(VertexSettings(access, ENV["PIPELINE_ROOT"], PIPELINES, {}))
    with_image = compile_pipeline("air_time", "training", IMAGE)

    second = engine.submit(with_image, REQUEST.job_id, {"month": "2013-05", "run_id": REQUEST.job_id})

    assert f"{JOBS}/{second.id}" == SECOND
    assert workflows.run() == second.id


def test_the_training_pipeline_has_the_parameters_that_the_workflow_gives(workflows: Workflows, spec: bytes) -> None:
    workflows.run()
    inputs = json.loads(spec)["root"]["inputDefinitions"]["parameters"]
    given = set(workflows.google.jobs.jobs[FIRST]["runtimeConfig"]["parameterValues"])
    needed = {name for name, each in inputs.items() if not each.get("isOptional")}
    assert needed <= given <= set(inputs)


@pytest.mark.parametrize("code", [400, 403, 500])
def test_any_other_refusal_fails_the_workflow(workflows: Workflows, code: int) -> None:
    refusing(workflows, code, 1)
    with pytest.raises(WorkflowError):
        workflows.run()
    assert workflows.google.jobs.jobs == {}


def test_a_moment_without_an_answer_is_sat_out(workflows: Workflows) -> None:
    refusing(workflows, 503, 5)
    assert workflows.run() == FIRST
    refusing(workflows, 503, 6)
    with pytest.raises(WorkflowError):
        workflows.run(REQUEST.model_copy(update={"month": "2013-06"}).message())


def refusing(workflows: Workflows, code: int, times: int) -> None:
    """The next creations of a job."""
    create = workflows.google.jobs._create
    left = [RejectedError(code, "UNAVAILABLE", "not now")] * times

    def answer(*call: Any) -> dict[str, Any]:
        if left:
            raise left.pop()
        return create(*call)

    workflows.google.jobs._create = answer  # type: ignore[method-assign]  # start_anew makes another


@pytest.mark.parametrize(
    ("change", "says"), [({"model": "wind"}, "no pipelines of model"), ({"month": "May 2013"}, "not a month")]
)
def test_a_request_for_what_is_not_there_is_refused_before_anything_is_read(
    workflows: Workflows, change: dict[str, str], says: str
) -> None:
    message = json.dumps(REQUEST.model_dump() | change).encode()
    with pytest.raises(WorkflowError, match=says):
        workflows.run(message)
    assert workflows.google.calls == []


def test_the_workflow_reads_no_field_that_a_request_lacks() -> None:
    read = set(re.findall(r"request\.(\w+)|map\.get\(request, \"(\w+)\"\)", json.dumps(WORKFLOW).replace('\\"', '"')))
    assert {one or other for one, other in read} == {*RetrainRequest.model_fields, "pipeline"}


def test_job_ids_are_what_vertex_ai_accepts() -> None:
    """Source: Vertex AI, `pipelineJobs.create`: at most 128 characters of [a-z0-9-], a letter first."""
    longest = RetrainRequest(model="a" * 40, month="2013-05", reason="")
    for request in (REQUEST, longest):
        assert re.fullmatch(r"[a-z][a-z0-9-]{0,127}", request.job_id)


def test_only_a_decision_to_retrain_makes_a_request() -> None:
    for action in Action:
        decision = TriggerDecision(action=action, month="2013-05", day=date(2013, 6, 1), reasons=("error: mae error",))
        expected = REQUEST if action is Action.RETRAIN else None
        assert RetrainRequest.of("air_time", decision) == expected


AT = datetime(2026, 11, 28, 3, 0, 2, tzinfo=UTC)


@pytest.mark.parametrize(("pipeline", "account"), [("training", PIPELINES), ("monitoring", MONITORING)])
def test_a_schedule_starts_its_pipeline_as_its_own_account(workflows: Workflows, pipeline: str, account: str) -> None:
    run_id = f"{pipeline}-air-time-2026-11-28-03"
    assert workflows.scheduled(pipeline, AT) == f"{JOBS}/{run_id}"

    (job,) = workflows.google.jobs.jobs.values()
    assert job["serviceAccount"] == account
    assert job["runtimeConfig"]["parameterValues"] == {"registry": "r", "month": "latest", "run_id": run_id}
    assert job["labels"] == {**DEV.all_labels, "model": "air_time", "pipeline": pipeline, "reason": "schedule"}
    assert workflows.google.refused == []


def test_a_call_of_a_schedule_that_is_made_again_after_a_time_out_is_one_run(workflows: Workflows) -> None:
    """Cloud Scheduler waits 180 s for an answer and makes four attempts, 30, 60 and 120 s apart."""
    workflows.scheduled("training", AT)
    for minutes in (3.5, 7.5, 12.5):
        assert workflows.scheduled("training", AT + timedelta(minutes=minutes)) == "training-air-time-2026-11-28-03"
    assert len(workflows.google.jobs.jobs) == 1
    workflows.scheduled("training", AT + timedelta(days=1))
    assert len(workflows.google.jobs.jobs) == 2


def test_with_keys_of_its_own_every_run_is_encrypted_with_them(workflows: Workflows) -> None:
    prod = load_environment("prod")
    workflows.scheduled("training", AT, env=prod)
    (job,) = workflows.google.jobs.jobs.values()
    assert job["encryptionSpec"] == {"kmsKeyName": names.key_path(prod, names.KeyName.DATA)}
    assert job["labels"]["environment"] == "prod"


def test_a_schedule_of_what_is_not_there_is_refused(workflows: Workflows) -> None:
    with pytest.raises(WorkflowError, match="no batch pipeline for model air_time"):
        workflows.scheduled("batch", AT)
    with pytest.raises(WorkflowError, match="no pipelines of model wind"):
        workflows.scheduled("training", AT, model="wind")


def test_twenty_models_stay_within_the_limits_of_workflows() -> None:
    """Source: Workflows, "Quotas and limits": 128 KiB of source, 20 variables of 4 KiB."""
    models = [f"a_model_with_a_rather_long_name_{number:02d}" for number in range(20)]
    parameters = {"registry": names.registry_location(DEV), "history": names.monitoring_history(DEV),
                  "data": names.data_location(DEV), "topic": names.topic_path(DEV, names.RETRAIN),
                  "events": names.event_log(DEV)}  # fmt: skip
    pipelines = [CompiledPipeline(model, each, "{}", "a" * 64, parameters) for model in models for each in PipelineName]
    text = source(DEV, pipelines)
    assert len(text.encode()) < 64 * 1024
    assert set(yaml.safe_load(text)["main"]["steps"][0]["know"]["assign"][0]["pipelines"]) == set(models)


def test_the_workflow_has_the_shape_that_workflows_demand() -> None:
    """Source: Workflows, "Syntax overview": a list of steps of one name each, each of known keys."""
    known = {
        "assign",
        "switch",
        "call",
        "args",
        "result",
        "try",
        "except",
        "retry",
        "raise",
        "return",
        "steps",
        "next",
        "condition",
    }
    names: list[str] = []

    def check(steps: list[dict[str, Any]], around: set[str]) -> None:
        reached = around | {name for step in steps for name in step}
        for step in steps:
            ((name, body),) = step.items()
            names.append(name)
            assert re.fullmatch(r"[a-z_]+", name)
            assert set(body) <= known
            assert body.get("next", name) in reached
            check(body.get("steps", []), reached)
            check(body.get("except", {}).get("steps", []), reached)
            for case in body.get("switch", []):
                assert set(case) <= known
                assert case.get("next", name) in reached
                check(case.get("steps", []), reached)

    assert set(WORKFLOW) == {"main"}
    check(WORKFLOW["main"]["steps"], set())
    assert len(names) == len(set(names))
