"""The monitoring pipeline: its steps, its spec, and what it asks the platform for."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fonderie.cli.commands.models import card
from fonderie.cli.commands.runs import list_runs
from fonderie.core.errors import BadInputError, ConflictError, RefusedError, StepFailedError
from fonderie.google.pubsub import publish
from ml.datasets.months import Month
from ml.models import ModelConfig, models_folder
from ml.monitoring.champion import champion_version
from ml.monitoring.history import History
from ml.monitoring.messages import RetrainRequest
from ml.monitoring.observation import observe
from ml.monitoring.trigger import TrainingEvent, TrainingOutcome, TriggerDecision
from ml.monitoring.verdict import MonthVerdict
from ml.registry import open_registry
from pipelines.compile import compile_pipeline
from pipelines.engines import RunState
from pipelines.monitoring import steps
from pipelines.monitoring.run import run_monitoring
from pipelines.training.challengers import judge_and_promote, train_once

TOPIC = "projects/p/topics/dev-retrain"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, invented: Path, quick: ModelConfig) -> Iterator[Path]:
    """With a champion of 2013-01 and 2013-02."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FONDERIE_HOME", str(folder))
        patch.setenv("FONDERIE_DATA", str(invented))
        trained = train_once(quick, Month(2013, 2))
        judge_and_promote(quick, trained, "", folder / "judged", run_id="first")
        yield folder


@pytest.fixture(autouse=True)
def place(home: Path, invented: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(home))
    monkeypatch.setenv("FONDERIE_DATA", str(invented))


class Topic(BaseHTTPRequestHandler):
    """Takes messages, as Pub/Sub's REST interface does."""

    messages: ClassVar[list[dict[str, Any]]] = []
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.messages.append({"path": self.path, **body["messages"][0]})
        self.send_response(self.status)
        self.end_headers()
        refused = {"error": {"code": self.status, "message": "User not authorized.", "status": "X"}}
        self.wfile.write(json.dumps(refused if self.status >= 400 else {"messageIds": ["1"]}).encode())

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Topic]]:
    class Own(Topic):
        messages: ClassVar[list[dict[str, Any]]] = []

    server = HTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", f"127.0.0.1:{server.server_port}")
    yield Own
    server.shutdown()
    server.server_close()


def run_steps(quick: ModelConfig, folder: Path, month: str = "2013-04") -> tuple[str, Path, Path]:
    """monitor, then judge; the action and the two artefacts."""
    text, history = quick.model_dump_json(), str(folder / "history")
    verdict, decision = folder / "verdict.json", folder / "decision.json"
    steps.monitor(text, month, "", "", history, str(verdict))
    return steps.judge(text, history, "", str(verdict), str(decision)), verdict, decision


def test_the_steps_leave_verdict_decision_and_page_and_say_every_alarm(
    quick: ModelConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    action, verdict, decision = run_steps(quick, tmp_path)
    seen = MonthVerdict.model_validate_json(verdict.read_bytes())
    decided = TriggerDecision.model_validate_json(decision.read_bytes())
    assert decided.action == action == "retrain"
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["finding"] for line in said if line["event"] == "drift_alarm"] == [f.name for f in seen.alarms]
    assert {line["model"] for line in said} == {"air_time"}
    history = History.of("air_time", str(tmp_path / "history"))
    assert history.verdicts() == [seen]
    assert history.decisions() == [decided]
    page = tmp_path / "page.html"
    steps.report(quick.model_dump_json(), str(tmp_path / "history"), str(verdict), str(decision), str(page))
    text = page.read_text()
    assert "<svg" in text
    assert all(rule.name in text for rule in decided.rules)
    assert all(finding.subject in text for finding in seen.findings)


def test_the_latest_month_is_monitored_when_none_is_named(quick: ModelConfig, tmp_path: Path) -> None:
    _, verdict, _ = run_steps(quick, tmp_path, month="")
    assert MonthVerdict.model_validate_json(verdict.read_bytes()).month == "2013-07"


def test_a_request_is_published_once_and_the_month_is_not_asked_for_again(
    quick: ModelConfig, tmp_path: Path, topic: type[Topic]
) -> None:
    text, history = quick.model_dump_json(), str(tmp_path / "history")
    _, _, decision = run_steps(quick, tmp_path)
    job = steps.request(text, history, TOPIC, str(decision))
    message = topic.messages[0]
    assert message["path"] == f"/v1/{TOPIC}:publish"
    assert message["attributes"] == {"model": "air_time", "month": "2013-04"}
    sent = RetrainRequest.model_validate_json(base64.b64decode(message["data"]))
    assert job == sent.job_id == "retrain-air-time-2013-04"
    again, _, _ = run_steps(quick, tmp_path)
    assert again == "wait"


@pytest.mark.parametrize(
    ("month", "state", "then"),
    [
        ("2013-04", "FAILED", "retrain"),
        ("2013-04", "CANCELLED", "retrain"),
        ("2013-04", "SUCCEEDED", "wait"),
        ("2013-03", "FAILED", "wait"),  # another month's run
        ("", "FAILED", "wait"),
    ],
)
def test_a_retraining_that_failed_lets_its_month_be_asked_for_again(
    quick: ModelConfig, tmp_path: Path, topic: type[Topic], month: str, state: str, then: str
) -> None:
    text, history = quick.model_dump_json(), str(tmp_path / "history")
    _, _, decision = run_steps(quick, tmp_path)
    first = steps.request(text, history, TOPIC, str(decision))

    steps.settle(text, month, history, state)

    action, _, decision = run_steps(quick, tmp_path)
    assert action == then
    if then == "retrain":
        assert steps.request(text, history, TOPIC, str(decision)) == first
        assert [each["data"] for each in topic.messages] == [topic.messages[0]["data"]] * 2


def test_a_training_that_nobody_asked_for_and_one_that_is_over_are_left_alone(
    quick: ModelConfig, tmp_path: Path, topic: type[Topic]
) -> None:
    text, history = quick.model_dump_json(), str(tmp_path / "history")
    steps.settle(text, "2013-04", history, "FAILED")
    assert not (tmp_path / "history").exists()
    over = TrainingEvent(month="2013-04", day=date(2013, 5, 1), outcome=TrainingOutcome.PROMOTED)
    History.of("air_time", history).record_training(over)
    steps.settle(text, "2013-04", history, "FAILED")
    assert History.of("air_time", history).trainings() == [over]
    mine = History.of("air_time").trainings()
    steps.settle(text, "2013-04", "", "FAILED")
    assert History.of("air_time").trainings() == mine


def test_the_training_pipeline_tells_the_history_how_it_ended() -> None:
    document = compile_pipeline("air_time", "training", "python").read()
    given = document["root"]["dag"]["tasks"]["conclude"]["inputs"]["parameters"]
    inputs = {name: each.get("componentInputParameter") for name, each in given.items()}
    assert {name: inputs[name] for name in ("month", "history", "config")} == {
        "month": "month",
        "history": "history",
        "config": "config",
    }


def test_without_a_topic_the_command_is_said_and_nothing_is_remembered(
    quick: ModelConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, decision = run_steps(quick, tmp_path)
    capsys.readouterr()
    steps.request(quick.model_dump_json(), str(tmp_path / "history"), "", str(decision))
    assert capsys.readouterr().out == "fonderie run training air_time --month 2013-04\n"
    assert History.of("air_time", str(tmp_path / "history")).trainings() == []


def test_publishing_goes_where_every_other_call_to_google_goes(
    topic: type[Topic], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONDERIE_GOOGLE_ENDPOINT", f"http://{os.environ['PUBSUB_EMULATOR_HOST']}")
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST")
    publish(TOPIC, b"{}", {})
    assert len(topic.messages) == 1


def test_publishing_says_what_is_wrong(topic: type[Topic], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match="invalid topic"):
        publish("dev-retrain", b"{}", {})
    topic.status = 403
    with pytest.raises(RefusedError, match="permission denied to publish: 403 User not authorized") as refused:
        publish(TOPIC, b"{}", {})
    assert refused.value.hint == "the monitoring identity needs roles/pubsub.publisher"
    topic.status = 404
    with pytest.raises(BadInputError, match="404"):
        publish(TOPIC, b"{}", {})
    topic.status = 503
    sent = len(topic.messages)
    with pytest.raises(StepFailedError, match="503"):
        publish(TOPIC, b"{}", {})
    assert len(topic.messages) == sent + 1  # a message is never sent twice
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    with pytest.raises(StepFailedError, match="could not be reached"):
        publish(TOPIC, b"{}", {})


def test_the_spec_asks_only_when_the_decision_is_to_retrain() -> None:
    spec = compile_pipeline("air_time", "monitoring", "python").read()
    assert spec["pipelineInfo"]["name"] == "monitoring-air-time"
    tasks = [task for each in spec["components"].values() for task in each.get("dag", {}).get("tasks", {}).values()]
    conditions = [task["triggerPolicy"]["condition"] for task in tasks if "condition" in task.get("triggerPolicy", {})]
    assert sorted(condition.count("== 'retrain'") for condition in conditions) == [1, 1]
    assert sum(condition.startswith("!") for condition in conditions) == 1
    thresholds = json.loads(spec["root"]["inputDefinitions"]["parameters"]["config"]["defaultValue"])["drift"]
    assert thresholds["debounce_alarms"] == 1


def test_a_model_without_a_champion_is_told_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no champion to monitor") as caught:
        run_monitoring("air_time", Month(2013, 4), registry=str(tmp_path))
    assert "fonderie run training" in str(caught.value)


def test_a_champion_whose_folder_has_vanished_is_told(quick: ModelConfig, home: Path, tmp_path: Path) -> None:
    judge_and_promote(quick, train_once(quick, Month(2013, 2)), str(tmp_path), tmp_path / "judged", run_id="x")
    (tmp_path / "air_time" / "v001").rename(tmp_path / "gone")
    with pytest.raises(BadInputError, match="champion cannot be read"):
        champion_version(open_registry("air_time", str(tmp_path)))


def test_a_second_loop_is_told_before_anything_runs() -> None:
    with History.of("air_time").alone(), pytest.raises(ConflictError, match="another loop"):
        run_monitoring("air_time", Month(2013, 4))


def test_the_card_of_a_version_says_what_has_moved_since(
    quick: ModelConfig, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_steps(quick, tmp_path)
    capsys.readouterr()
    card("air_time", history=str(tmp_path / "history"), as_json=True)
    paths = json.loads(capsys.readouterr().out)
    record = open_registry("air_time").get("champion").record
    for text in (Path(paths["html"]).read_text(), Path(paths["markdown"]).read_text()):
        assert "2013-04" in text
        assert record.model_hash in text
        assert record.data_hash in text
        assert all(each.name in text for each in record.metrics.slices)
        assert all(check.name in text for check in record.decision.checks)
        assert all(column.name in text for column in record.features)
    assert Path(paths["html"]).read_text().count("<svg") == 1
    tables = Path(paths["markdown"]).read_text().split("\n## ")[1:]
    for part in tables:
        widths = {line.replace("\\|", "").count("|") for line in part.splitlines() if line.startswith("|")}
        assert len(widths) == 1, part


def test_after_a_rollback_the_restored_version_is_watched(quick: ModelConfig, tmp_path: Path) -> None:
    registry, now = str(tmp_path / "registry"), datetime(2013, 6, 1, tzinfo=UTC)
    for month in (Month(2013, 2), Month(2013, 4)):
        judge_and_promote(quick, train_once(quick, month), registry, tmp_path / str(month), run_id=str(month))
    versions = open_registry("air_time", registry)
    assert versions.aliases().champion == 2
    for version in (2, 1):
        assert observe(quick, versions, Month(2013, 5)).version == version
        if version == 2:
            versions.rollback(reason="alarm", who="on-call", now=now)
    assert versions.aliases().moves[-1].reason == "alarm"


@pytest.mark.e2e
def test_the_pipeline_runs_on_kubeflow_s_local_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (models_folder() / "air_time.toml").read_text()
    (tmp_path / "air_time.toml").write_text(text + "\n[drift]\nmin_new_rows = 500\n")
    monkeypatch.setenv("FONDERIE_MODELS", str(tmp_path))
    done = run_monitoring("air_time", Month(2013, 4), history=str(tmp_path / "history"))
    assert done.run.state is RunState.SUCCEEDED
    assert done.decision.action == "retrain", done.decision.reasons
    assert {task.name for task in done.run.tasks} == {"monitor", "judge", "request", "report", "conclude"}
    assert "<svg" in done.report.read_text()
    assert done.retrained is None
    list_runs(model="air_time", as_json=True)
    assert done.run.id in {run["run"] for run in json.loads(capsys.readouterr().out)}
