"""`fonderie run` and `fonderie runs` against Vertex AI and Kubeflow, by the command line, over the stand-ins."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fonderie.cli import main
from fonderie.core.errors import ExitCode
from fonderie.sandbox.rest.discovery import RejectedError
from fonderie.sandbox.rest.jobs import task
from pipelines.compile import ROOT
from pipelines.engines import waiting
from tests import kubeflow
from tests.google.server import Google, running

pytestmark = pytest.mark.e2e

TRAIN = ("run", "training", "--model", "air_time", "--month", "2013-04")
DEV = ("--engine", "vertex", "--env", "dev")
DISABLED = "Vertex AI API has not been used in project 412345678901 before or it is disabled."
ABSENT = "Permission denied on resource project acme-ml-dev."
QUOTA = "The following quota metrics exceed quota limits: aiplatform.googleapis.com/custom_model_training_cpus"


@dataclass
class Said:
    """How a command left, and what it said."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture(scope="module")
def server() -> Iterator[Google]:
    with running() as google:
        yield google


@pytest.fixture
def google(server: Google, monkeypatch: pytest.MonkeyPatch) -> Google:
    server.start_anew()
    monkeypatch.setenv("FONDERIE_GOOGLE_ENDPOINT", server.address)
    return server


@pytest.fixture
def fonderie(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: the client libraries are imported once."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(waiting, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE_S", 0.01)

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["fonderie", *words])
        with pytest.raises(SystemExit) as left:
            main.main()
        said = capsys.readouterr()
        return Said(int(left.value.code or 0), said.out, said.err)

    return run


def test_a_training_is_submitted_waited_for_and_told(fonderie: Run, google: Google) -> None:
    done = [task(name, "SUCCEEDED") for name in ("extract", "train")]
    google.jobs.script += [("RUNNING", done[:1]), ("SUCCEEDED", done)]

    said = fonderie(*TRAIN, *DEV, "--wait")

    (job,) = google.jobs.jobs.values()
    run_id = job["name"].rpartition("/")[2]
    assert (said.code, google.refused) == (0, [])
    assert said.out.startswith(f"{run_id} succeeded\nhttps://console.cloud.google.com/vertex-ai/")
    assert f"fonderie runs wait {run_id} --engine vertex --env dev" in said.err
    assert [line.split()[:2] for line in said.err.splitlines() if "✓" in line] == [["✓", "extract"], ["✓", "train"]]
    given = job["runtimeConfig"]["parameterValues"]
    assert given["data"].startswith("bigquery://acme-ml-dev")
    assert given["registry"].startswith("vertex://acme-ml-dev/europe-west1/")


def test_the_same_training_asked_for_twice_is_one_run_and_that_is_said(fonderie: Run, google: Google) -> None:
    first, again = fonderie(*TRAIN, *DEV), fonderie(*TRAIN, *DEV)
    machine = fonderie(*TRAIN, *DEV, "--json")

    assert "started training-air-time-2013-04-" in first.err
    assert (again.code, len(google.jobs.jobs)) == (0, 1)
    assert "already exists: the same model, month and code is one run" in again.err
    assert "Nothing was started" in again.err
    assert json.loads(machine.out)["found"] is True


def test_a_task_that_fails_is_told_with_its_words_and_its_log_and_the_next_asking_runs_anew(
    fonderie: Run, google: Google
) -> None:
    google.jobs.script.append(("FAILED", [task("extract", "SUCCEEDED"), task("train", "FAILED", "Replica 0: OOM")]))

    said = fonderie(*TRAIN, *DEV, "--wait")
    again = fonderie(*TRAIN, *DEV)

    assert said.code == ExitCode.STEP_FAILED
    assert "task train of run training-air-time-2013-04-" in said.err
    assert "Replica 0: OOM" in said.err
    assert "hint: its log: https://console.cloud.google.com/logs/query" in said.err
    assert len(google.jobs.jobs) == 2
    assert "-2\n" in again.err


@pytest.mark.parametrize(
    ("refusal", "code", "hint"),
    [
        (RejectedError(403, "SERVICE_DISABLED", DISABLED), ExitCode.REFUSED, "deploy the foundation stack"),
        (RejectedError(403, "PERMISSION_DENIED", ABSENT), ExitCode.REFUSED, "fonderie doctor"),
        (RejectedError(404, "NOT_FOUND", "Project not found."), ExitCode.BAD_INPUT, "is the project right"),
        (RejectedError(429, "RESOURCE_EXHAUSTED", QUOTA), ExitCode.REFUSED, "quota"),
    ],
)
def test_what_google_refuses_is_said_with_what_to_do_and_leaves_nothing(
    fonderie: Run, google: Google, refusal: RejectedError, code: ExitCode, hint: str
) -> None:
    google.failures.append(refusal)

    said = fonderie(*TRAIN, *DEV)

    assert said.code == code
    assert refusal.message in said.err
    assert hint in said.err
    assert google.jobs.jobs == {}


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((*TRAIN, "--engine", "vertex"), "a remote engine needs an environment"),
        ((*TRAIN, "--engine", "airflow", "--env", "dev"), "unknown engine 'airflow'"),
        ((*TRAIN, "--env", "dev"), "the local engine needs no environment"),
        ((*TRAIN, *DEV, "--registry", "here"), "--registry"),
        ((*TRAIN[:-1], "april", *DEV), "april"),
        (("run", "training", "--model", "fuel", "--month", "2013-04", *DEV), "fuel"),
        (("runs", "show", "nothing", *DEV), "unknown run 'nothing'"),
        (("runs", "schedules"), "a remote engine needs an environment"),
        (("run", "training", "--model", "air_time", "--month", "2013-04", *DEV[:3], "mars"), "mars"),
    ],
)
def test_wrong_options_are_named_before_anything_is_sent(
    fonderie: Run, google: Google, words: tuple[str, ...], what: str
) -> None:
    said = fonderie(*words)

    assert said.code == ExitCode.BAD_INPUT
    assert what in said.err
    assert not [call for call in google.calls if call.method.endswith("create")]


def test_runs_are_listed_shown_waited_for_and_cancelled(fonderie: Run, google: Google) -> None:
    started = json.loads(fonderie(*TRAIN, *DEV, "--json").out)
    failing = [task("extract", "SUCCEEDED"), task("validate", "FAILED", "3 rows too many")]
    google.jobs.script.append(("FAILED", failing))

    shown = fonderie("runs", "show", started["id"], *DEV)
    log = fonderie("runs", "show", started["id"], *DEV, "--log", "--task", "validate")
    waited = fonderie("runs", "wait", started["id"], "--env", "dev")
    second = json.loads(fonderie(*TRAIN, *DEV, "--json").out)
    cancelled = fonderie("runs", "cancel", second["id"], *DEV)
    listed = json.loads(fonderie("runs", "list", *DEV, "--json").out)

    assert f"{started['id']}  training of air_time: failed" in shown.out
    assert "task validate: 3 rows too many" in shown.out
    assert log.out.startswith("validate: 3 rows too many; https://console.cloud.google.com/logs")
    assert waited.code == ExitCode.STEP_FAILED
    assert cancelled.out == f"{second['id']} cancelled\n"
    assert [(one["run"], one["state"], one["month"]) for one in listed] == [
        (started["id"], "failed", "2013-04"),
        (second["id"], "cancelled", "2013-04"),
    ]


def test_a_batch_and_a_monitoring_run_there_too_each_time_anew(fonderie: Run, google: Google) -> None:
    batch = fonderie("run", "batch", "--model", "air_time", "--month", "2013-05", "--version", "3", *DEV, "--json")
    watched = ("run", "monitoring", "--model", "late_arrival", "--month", "2013-05", *DEV, "--json")
    quiet, asking = fonderie(*watched), fonderie(*watched, "--retrain")

    assert json.loads(batch.out)["parameters"]["version"] == "3"
    assert json.loads(quiet.out)["parameters"]["topic"] == ""
    assert json.loads(asking.out)["parameters"]["topic"] == "projects/acme-ml-dev/topics/dev-retrain"
    assert {json.loads(one.out)["pipeline"] for one in (batch, quiet)} == {"batch", "monitoring"}
    assert len(google.jobs.jobs) == 3


def test_schedules_are_shown(fonderie: Run, google: Google) -> None:
    body = {"argument": json.dumps({"model": "air_time", "pipeline": "training"})}
    starts = {
        "uri": "https://workflowexecutions.googleapis.com/v1/projects/p/locations/r/workflows/dev-retrain/executions",
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
    }
    name = "projects/acme-ml-dev/locations/europe-west1/jobs/dev-training"
    google.scheduler.jobs = [{"name": name, "schedule": "0 4 2 * *", "state": "PAUSED", "httpTarget": starts}]

    assert "paused" in fonderie("runs", "schedules", "--env", "dev").out
    assert json.loads(fonderie("runs", "schedules", "--env", "dev", "--json").out)[0]["cron"] == "0 4 2 * *"


def test_kubeflow_runs_the_same(fonderie: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # the client keeps its context there
    with kubeflow.running() as cluster:
        at = ("--engine", "kubeflow", "--env", "dev", "--host", cluster.address)
        cluster.script += [("SUCCEEDED", [kubeflow.task("extract", "SUCCEEDED")])] * 2

        said, again = fonderie(*TRAIN, *at, "--wait"), fonderie(*TRAIN, *at)

        (run,) = cluster.runs.values()
        assert f"{run['display_name']} succeeded\n{cluster.address}/#/runs/details/r0" in said.out
        assert "already exists: the same model, month and code is one run" in again.err


def test_without_credentials_it_is_said_how_to_get_some(tmp_path: Path) -> None:
    hidden = {"FONDERIE_GOOGLE_ENDPOINT", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"HOME": str(tmp_path), "NO_GCE_CHECK": "true", "NO_COLOR": "1"}

    said = subprocess.run(command(*TRAIN, *DEV), check=False, env=environment, **PIPED, timeout=60)

    assert said.returncode == ExitCode.REFUSED
    assert "gcloud auth application-default login" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.usefixtures("default_sigint")
def test_stopping_to_wait_does_not_stop_the_run_and_says_how_to_go_on(google: Google) -> None:
    waiting_for = subprocess.Popen(command(*TRAIN, *DEV, "--wait"), **PIPED)
    deadline = time.monotonic() + 30
    while not any(call.method.endswith("pipelineJobs.get") for call in google.calls) and time.monotonic() < deadline:
        time.sleep(0.05)

    waiting_for.send_signal(signal.SIGINT)
    _, said = waiting_for.communicate(timeout=30)

    (job,) = google.jobs.jobs.values()
    assert waiting_for.returncode == ExitCode.INTERRUPTED
    assert f"the run continues: fonderie runs wait {job['name'].rpartition('/')[2]} --engine vertex --env dev" in said
    assert job["state"] == "PIPELINE_STATE_PENDING"


PIPED: Any = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "fonderie.cli.main", *words]
