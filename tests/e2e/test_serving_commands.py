"""`fonderie serve`, `load` and `canary` as a person types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml.registry import open_registry
from tests.unit.ml.serving.flights import fit, make_flights
from tests.unit.ml.serving.running import Client, until
from tests.unit.ml.serving.test_entry_point import answers, free_port
from tests.unit.ml.serving.versions import add_version

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    registry = open_registry("air_time", str(folder / "registry"))
    pipeline = fit(make_flights(), iterations=20)
    for name in ("first", "second"):
        add_version(registry, pipeline, folder / "scratch", name)
    return folder


def fonderie(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fonderie.cli.main", *words],
        env={**os.environ, "FONDERIE_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def port(home: Path) -> Iterator[int]:
    number = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "fonderie.cli.main", "serve", "air_time", "--port", str(number), "--log-share", "1"],
        env={**os.environ, "FONDERIE_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )
    until(lambda: answers(number, "/health") == 200, seconds=30)
    yield number
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0


def test_a_load_run_reports_and_leaves_a_page(home: Path, port: int) -> None:
    done = fonderie(home, "load", "air_time", "--url", f"http://127.0.0.1:{port}", "--seconds", "0.5", "--json")

    facts = json.loads(done.stdout)
    assert (done.returncode, facts["failed"]) == (0, 0)
    assert facts["requests"] > 50
    assert facts["versions"] == {"1": facts["requests"]}
    assert "Latencies" in Path(facts["report"]).read_text()
    until(lambda: list((home / "serving/predictions").glob("date=*/*.parquet")))


def test_a_canary_is_started_looked_at_and_aborted(home: Path, port: int) -> None:
    assert fonderie(home, "canary", "status", "air_time").returncode == 3
    started = fonderie(home, "canary", "start", "air_time", "--steps", "10,100")
    again = fonderie(home, "canary", "start", "air_time")
    until(lambda: Client(port).get("/models").body["models"][0]["challenger"] == "2")
    status = json.loads(fonderie(home, "canary", "status", "air_time", "--json").stdout)
    aborted = fonderie(home, "canary", "abort", "air_time", "--reason", "lunch")

    assert "version 2 beside champion 1, running" in started.stdout
    assert again.returncode == 7
    assert (status["challenger"], status["margins"]["steps"]) == ("2", [10, 100])
    assert "lunch" in aborted.stdout
    until(lambda: Client(port).get("/models").body["models"][0]["challenger"] is None)


def test_a_rollback_moves_the_traffic_and_ends_a_canary(home: Path, port: int) -> None:
    fonderie(home, "models", "promote", "air_time", "2", "--reason", "by hand")
    until(lambda: Client(port).get("/models").body["models"][0]["champion"] == "2")
    fonderie(home, "canary", "start", "air_time", "--challenger", "1")
    until(lambda: Client(port).get("/models").body["models"][0]["challenger"] == "1")

    done = fonderie(home, "models", "rollback", "air_time", "--reason", "alarm")

    assert done.returncode == 0, done.stderr
    until(lambda: Client(port).get("/models").body["models"][0]["champion"] == "1")
    until(lambda: Client(port).get("/models").body["models"][0]["challenger"] is None)
    assert "rolled back to v001: alarm" in fonderie(home, "canary", "status", "air_time").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("canary", "start", "air_time", "--steps", "5,2"), 3, "must increase"),
        (("canary", "start", "air_time", "--steps", "few"), 3, "invalid steps 'few'"),
        (("canary", "start", "air_tyme"), 3, "air_time"),
        (("load", "air_time", "--url", "http://127.0.0.1:9"), 5, "connection refused"),
        (("load", "late_arrival"), 3, "champion"),
        (("serve", "late_arrival", "--port", "1"), 3, "no champion"),
    ],
)
def test_what_cannot_be_done_is_said(home: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = fonderie(home, *words)

    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr
