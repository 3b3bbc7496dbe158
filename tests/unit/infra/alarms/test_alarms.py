"""Each alert, from what is really written to the ring: the entry through the filter, the points through the policy."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fonderie.core.errors import BadInputError
from fonderie.google.event_log import write_events
from fonderie.sandbox.logging_filter import logging_filter
from fonderie.sandbox.rest.discovery import Service
from infra import names
from infra.settings import Environment, load_environment
from ml.monitoring.messages import events_of
from ml.monitoring.verdict import Finding, Kind, MonthVerdict, Severity
from pipelines.training import steps
from tests.unit.conftest import Synthesised
from tests.unit.infra.alarms.policies import rings_for_entry, rings_for_series
from tests.unit.infra.synthesised import resources

WRITTEN = json.loads(Path(__file__).with_name("entries.json").read_text())
TRIGGERS = {"PREVIEW": "preview", "DRIFT": "drift"}


@pytest.fixture(scope="module")
def prod() -> Environment:
    return load_environment("prod")


@pytest.fixture(scope="module")
def policies(stacks: Synthesised) -> dict[str, Any]:
    return {
        policy["display_name"].removeprefix("prod-"): policy
        for kind, _, policy in resources(stacks["prod-delivery"])
        if kind == "google_monitoring_alert_policy"
    }


def entry_of(written: str, env: Environment) -> dict[str, Any]:
    """A recorded entry, in our project; a trigger's id is what Terraform puts in the filter for it."""
    text = json.dumps(WRITTEN[written]["entry"])
    text = re.sub(r"\bENV-", f"{env.name}-", re.sub(r'"R"', f'"{env.region}"', text))
    return json.loads(text.replace("projects/P/", f"projects/{env.project_id}/"))  # type: ignore[no-any-return]


def ringing(policies: dict[str, Any], entry: dict[str, Any]) -> set[str]:
    """Which policies ring; the ids of triggers, known after apply, as their short names."""
    found = set()
    for name, policy in policies.items():
        text = json.dumps(policy)
        for trigger, short in TRIGGERS.items():
            text = re.sub(rf"\$\{{google_cloudbuild_trigger\.\w*{short}\w*\.trigger_id\}}", trigger, text)
        if rings_for_entry(json.loads(text), entry):
            found.add(name)
    return found


@pytest.mark.parametrize(
    ("written", "rings"),
    [
        ("pipeline_failed", {"pipeline-failed"}),
        ("pipeline_succeeded", set()),
        ("task_failed", set()),
        ("task_stdout", set()),
        ("schedule_refused", {"schedule-failed"}),
        ("schedule_called", set()),
        ("schedule_of_another", set()),
        ("workflow_failed", {"start-failed"}),
        ("workflow_succeeded", set()),
        ("build_failed", {"build-failed"}),
        ("build_says_error", set()),
        ("preview_failed", set()),
    ],
)
def test_what_google_writes_rings_the_one_alarm_that_is_for_it(
    policies: dict[str, Any], prod: Environment, written: str, rings: set[str]
) -> None:
    assert WRITTEN[written]["source"]
    assert ringing(policies, entry_of(written, prod)) == rings


@pytest.fixture
def logging_api(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Requests to the Logging API, held to its discovery document; entries as the API would list them."""
    service, entries = Service("logging", "v2"), []

    def post(_self: Any, api: str, path: str, body: dict[str, Any], *, idempotent: bool) -> dict[str, Any]:
        call = service.match("POST", f"/{path}", {}, body)
        assert (api, call.method, idempotent) == ("logging", "logging.entries.write", True)
        shared = {name: value for name, value in body.items() if name != "entries"}
        entries.extend({**shared, **entry} for entry in body["entries"])
        return {}

    monkeypatch.setattr("fonderie.google.event_log.RestClient.post", post)
    return entries


def verdict_with_an_alarm() -> MonthVerdict:
    finding = Finding(kind=Kind.ERROR, subject="mae", measure="error", severity=Severity.ALARM)
    return MonthVerdict(model="air_time", month="2013-05", version=1, rows=1, labelled_rows=1, findings=(finding,))


def test_what_the_monitor_tells_rings_the_drift_alarm_with_the_model(
    policies: dict[str, Any], prod: Environment, logging_api: list[dict[str, Any]]
) -> None:
    steps.tell(list(events_of(verdict_with_an_alarm())), names.event_log(prod))
    alarm, whole = logging_api
    assert ringing(policies, alarm) == {"drift-alarm"}
    assert ringing(policies, whole) == set()
    assert alarm["severity"] == "WARNING"
    (condition,) = policies["drift-alarm"]["conditions"]
    (label,) = condition["condition_matched_log"]["label_extractors"].items()
    assert label == ("model", "EXTRACT(jsonPayload.model)")
    assert alarm["jsonPayload"]["model"] == "air_time"


@pytest.mark.parametrize(("state", "rings"), [("FAILED", {"pipeline-failed"}), ("SUCCEEDED", set())])
def test_what_the_last_task_of_a_run_tells_rings_where_the_run_failed(
    policies: dict[str, Any], prod: Environment, logging_api: list[dict[str, Any]], state: str, rings: set[str]
) -> None:
    steps.conclude("training-air-time-2013-05", state, "boom", names.event_log(prod))
    assert ringing(policies, logging_api[0]) == rings


def test_another_environment_of_the_project_does_not_ring(
    policies: dict[str, Any], logging_api: list[dict[str, Any]], prod: Environment
) -> None:
    steps.tell(list(events_of(verdict_with_an_alarm())), names.event_log(prod).replace("prod-events", "dev-events"))
    assert ringing(policies, logging_api[0]) == set()


def test_an_event_that_is_written_twice_is_one_entry(logging_api: list[dict[str, Any]], prod: Environment) -> None:
    now, log = datetime(2026, 11, 28, 3, tzinfo=UTC), names.event_log(prod)
    for number in (1, 1, 2):
        write_events(log, [{"event": "e", "number": number}], now)
    assert len({entry["insertId"] for entry in logging_api}) == 2


def test_without_a_log_an_event_is_a_line_and_a_name_that_is_none_is_refused(
    logging_api: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    steps.tell([{"event": "e"}], "")
    assert (logging_api, capsys.readouterr().out) == ([], '{"event": "e"}\n')
    with pytest.raises(BadInputError, match="invalid log"):
        write_events("dev-events", [{"event": "e"}], datetime.now(UTC))


def test_the_charts_count_what_the_alarms_ring_for(
    stacks: Synthesised, prod: Environment, logging_api: list[dict[str, Any]]
) -> None:
    metrics = {
        each["name"]: logging_filter(each["filter"])
        for kind, _, each in resources(stacks["prod-delivery"])
        if kind == "google_logging_metric"
    }
    steps.tell(list(events_of(verdict_with_an_alarm())), names.event_log(prod))
    assert metrics["prod-drift-alarms"](logging_api[0])
    assert metrics["prod-pipeline-failures"](entry_of("pipeline_failed", prod))


def responses(endpoint: str, codes: dict[str, float]) -> list[Any]:
    """`response_count` over five minutes, one time series a code and deployed model, as Vertex AI has it."""
    return [
        (
            {
                "metric": {
                    "type": "aiplatform.googleapis.com/prediction/online/response_count",
                    "labels": {"response_code": code, "deployed_model_id": "7"},
                },
                "resource": {"type": "aiplatform.googleapis.com/Endpoint", "labels": {"endpoint_id": endpoint}},
            },
            [number],
        )
        for code, number in codes.items()
    ]


@pytest.mark.parametrize(
    ("codes", "rings"),
    [
        ({"200": 10_000}, False),
        ({"200": 9_950, "503": 50}, False),
        ({"200": 9_800, "503": 200}, True),
        ({"200": 9_850, "500": 75, "503": 75}, True),  # together more than one in a hundred
        ({"200": 9_000, "400": 1_000}, False),  # the callers' own
        ({"5xx": 10}, True),
        ({}, False),
    ],
)
def test_the_ratio_of_errors_is_failed_requests_of_all_requests(
    policies: dict[str, Any], prod: Environment, codes: dict[str, float], rings: bool
) -> None:
    """At 1 %. Source: cloud.google.com/monitoring/api/metrics_gcp, `prediction/online/response_count`."""
    ours, other = (names.endpoint_id(prod, model) for model in ("air_time", "late_arrival"))
    series = responses(ours, codes) + responses(other, {"200": 10_000})
    assert rings_for_series(policies["air-time-errors"], series) is rings
    assert not rings_for_series(policies["late-arrival-errors"], series)


@pytest.mark.parametrize(("slow_ms", "rings"), [(20, False), (60_000, True)])
def test_slow_answers_ring(policies: dict[str, Any], prod: Environment, slow_ms: float, rings: bool) -> None:
    about = {
        "metric": {"type": "aiplatform.googleapis.com/prediction/online/prediction_latencies", "labels": {}},
        "resource": {
            "type": "aiplatform.googleapis.com/Endpoint",
            "labels": {"endpoint_id": names.endpoint_id(prod, "air_time")},
        },
    }
    assert rings_for_series(policies["air-time-latency"], [(about, [10.0] * 80 + [slow_ms] * 20)]) is rings


def test_every_policy_is_one_that_a_test_here_rings(policies: dict[str, Any]) -> None:
    endpoints = {f"{model}-{what}" for model in ("air-time", "late-arrival") for what in ("errors", "latency")}
    rung = {"pipeline-failed", "drift-alarm", "schedule-failed", "start-failed", "build-failed"}
    assert set(policies) == rung | endpoints


def test_no_policy_waits_for_a_metric_that_its_own_stack_makes(policies: dict[str, Any]) -> None:
    """Google refuses it for some ten minutes: "Cannot find metric(s) that match type" (provider issue 11102)."""
    assert "logging.googleapis.com/user/" not in json.dumps(policies)
