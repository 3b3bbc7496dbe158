"""What monitoring publishes is what the platform's workflow reads, and what both call the run is the same."""

from __future__ import annotations

import base64
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml.monitoring.request import RetrainRequest
from ml.monitoring.signals import DRIFT_ALARM, lines
from ml.monitoring.trigger import Action, TriggerDecision
from ml.monitoring.verdict import Finding, Kind, MonthVerdict, Severity
from pipelines.compile import compiled
from tests.contract.retraining.workflow import WorkflowError, run

INFRA = Path("infra")
WORKFLOW = yaml.safe_load((INFRA / "workflows" / "retrain.yaml").read_text().replace("${not(", "${not ("))
# In Workflows `not` is a function and an operator; in Python's grammar, which the interpreter borrows, only the latter.

ENV = {
    "PROJECT": "p",
    "REGION": "europe-west1",
    "TEMPLATES_BUCKET": "p-templates",
    "PIPELINE_ROOT": "gs://p-artefacts/runs",
    "RUNS_AS": "pipelines@p.iam.gserviceaccount.com",
    "PIPELINES": json.dumps({"air_time": {"object": "air_time/training/abc.json", "parameters": {"registry": "r"}}}),
}
REQUEST = RetrainRequest(model="air_time", month="2013-05", reason="error: mae error")


class Google:
    """Cloud Storage and Vertex AI as the workflow meets them."""

    def __init__(self, answer: int = 200) -> None:
        self.answer, self.fetched, self.jobs, self.said = answer, [], [], []
        self.calls = {
            "googleapis.storage.v1.objects.get": self.get,
            "http.post": self.post,
            "sys.log": lambda **said: self.said.append(said["json"]),
        }

    def get(self, **arguments: Any) -> Any:
        self.fetched.append(arguments)
        return {"pipelineInfo": {"name": "training-air-time"}}

    def post(self, *, url: str, auth: Any, body: dict[str, Any]) -> Any:
        if self.answer != 200:
            raise WorkflowError({"code": self.answer, "tags": ["HttpError"]})
        self.jobs.append((url, body))
        return {"body": {"name": url.split("/v1/")[1].replace("?pipelineJobId=", "/")}}


def event(message: bytes) -> dict[str, Any]:
    """As Eventarc hands it over."""
    return {"data": {"message": {"data": base64.b64encode(message).decode(), "attributes": {}}}}


def test_a_published_request_starts_the_training_pipeline_of_its_month() -> None:
    google = Google()
    name = run(WORKFLOW, event(REQUEST.message()), ENV, google.calls)
    ((url, body),) = google.jobs
    assert url.endswith(f"/pipelineJobs?pipelineJobId={REQUEST.job_id}")
    assert name.endswith(REQUEST.job_id)
    given = body["runtimeConfig"]["parameterValues"]
    assert given == {"registry": "r", "month": "2013-05", "run_id": REQUEST.job_id}
    assert body["serviceAccount"] == ENV["RUNS_AS"]
    assert body["pipelineSpec"] == {"pipelineInfo": {"name": "training-air-time"}}
    assert google.fetched == [{"bucket": "p-templates", "object": "air_time%2Ftraining%2Fabc.json", "alt": "media"}]
    assert google.said == [{"event": "retrain_started", "job": REQUEST.job_id, "reason": REQUEST.reason}]


def test_the_training_pipeline_has_the_parameters_that_the_workflow_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))
    google = Google()
    run(WORKFLOW, event(REQUEST.message()), ENV, google.calls)
    inputs = compiled("air_time", "training", "python").read()["root"]["inputDefinitions"]["parameters"]
    given = set(google.jobs[0][1]["runtimeConfig"]["parameterValues"])
    needed = {name for name, each in inputs.items() if not each.get("isOptional")}
    assert needed <= given <= set(inputs)


def test_the_second_request_for_a_month_is_a_success_without_a_second_run() -> None:
    google = Google(answer=409)
    assert run(WORKFLOW, event(REQUEST.message()), ENV, google.calls) == REQUEST.job_id
    assert google.said == [{"event": "retrain_duplicate", "job": REQUEST.job_id}]


@pytest.mark.parametrize("code", [400, 403, 500])
def test_any_other_refusal_fails_the_workflow(code: int) -> None:
    with pytest.raises(WorkflowError):
        run(WORKFLOW, event(REQUEST.message()), ENV, Google(answer=code).calls)


@pytest.mark.parametrize(
    ("change", "says"), [({"model": "wind"}, "no training pipeline"), ({"month": "May 2013"}, "not a month")]
)
def test_a_request_for_what_is_not_there_is_refused_before_anything_is_read(change: dict[str, str], says: str) -> None:
    google = Google()
    message = json.dumps(REQUEST.model_dump() | change).encode()
    with pytest.raises(WorkflowError, match=says):
        run(WORKFLOW, event(message), ENV, google.calls)
    assert google.fetched == google.jobs == []


def test_the_workflow_reads_no_field_that_a_request_lacks() -> None:
    read = set(re.findall(r"request\.(\w+)|map\.get\(request, \"(\w+)\"\)", json.dumps(WORKFLOW).replace('\\"', '"')))
    assert {one or other for one, other in read} == set(RetrainRequest.model_fields)


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


def test_the_alert_counts_the_event_that_monitoring_logs() -> None:
    finding = Finding(kind=Kind.ERROR, subject="mae", measure="error", severity=Severity.ALARM)
    verdict = MonthVerdict(model="air_time", month="2013-05", version=1, rows=1, labelled_rows=1, findings=(finding,))
    alarm = json.loads(next(iter(lines(verdict))))
    source = (INFRA / "constructs" / "watch.py").read_text()
    assert alarm["event"] == DRIFT_ALARM
    assert f'jsonPayload.event="{DRIFT_ALARM}"' in source
    assert 'field="jsonPayload.model"' in source
    assert alarm["model"] == "air_time"


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
        "raise",
        "return",
        "steps",
        "next",
        "condition",
    }

    def check(steps: list[dict[str, Any]]) -> None:
        for step in steps:
            ((name, body),) = step.items()
            assert re.fullmatch(r"[a-z_]+", name)
            assert set(body) <= known
            check(body.get("steps", []))
            check(body.get("except", {}).get("steps", []))
            for case in body.get("switch", []):
                assert set(case) <= known
                check(case.get("steps", []))

    assert set(WORKFLOW) == {"main"}
    check(WORKFLOW["main"]["steps"])
