"""Whole training runs through Kubeflow's runner by the command line, on small invented months."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pipelines.compile import ROOT
from tests.flights import change
from tests.small_model import SMALL, Place, small_place

pytestmark = pytest.mark.e2e

Answer = subprocess.CompletedProcess[str]


def fonderie(place: Place, *arguments: str, room: int | None = None) -> Answer:
    """Run the command line; no file may grow beyond `room` bytes, as on a disk that is full."""
    limit = None if room is None else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    return subprocess.run(
        [sys.executable, "-m", "fonderie.cli.main", *arguments],
        cwd=ROOT,
        env={**os.environ, **place.environment, "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=limit,
    )


def train(place: Place, month: str, *, model: str = "small") -> Answer:
    return fonderie(place, "run", "training", "--model", model, "--month", month, "--json")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return small_place(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def first(place: Place) -> dict[str, Any]:
    answer = train(place, "2013-02")
    assert answer.returncode == 0, answer.stderr
    said: dict[str, Any] = json.loads(answer.stdout)
    return said


@pytest.fixture(scope="module")
def second(place: Place, first: dict[str, Any]) -> dict[str, Any]:
    """The same month again: an equal model, which the gate keeps out."""
    answer = train(place, "2013-02")
    assert answer.returncode == 0, answer.stderr
    said: dict[str, Any] = json.loads(answer.stdout)
    return said


def tasks(said: dict[str, Any]) -> list[str]:
    return [task["name"] for task in said["run"]["tasks"]]


def test_the_first_run_takes_the_promote_branch_and_registers_a_champion(place: Place, first: dict[str, Any]) -> None:
    assert tasks(first) == [
        *("extract", "validate", "features", "train", "evaluate", "gate", "promote", "report", "conclude"),
    ]
    assert (first["version"], first["decision"]["outcome"]) == ("v001", "promote")
    record = json.loads((place.home / "registry" / "small" / "v001" / "model_record.json").read_text())
    assert record["run_id"] == first["run"]["id"]
    assert record["training_months"] == ["2013-01", "2013-02"]
    assert json.loads((place.home / "registry" / "small" / "aliases.json").read_text())["current"] == {"champion": 1}


def test_an_equal_challenger_takes_the_keep_branch_and_registers_nothing(place: Place, second: dict[str, Any]) -> None:
    assert "keep" in tasks(second)
    assert "promote" not in tasks(second)
    assert second["version"] is None
    assert second["decision"]["reasons"] == [
        "distinct: the challenger is the champion itself, or has no hash",
        "gain: 0.00% better (0.00% to 0.00%) than the champion, wanted 1.00%",
    ]
    assert [path.name for path in (place.home / "registry" / "small").glob("v*")] == ["v001"]


def test_a_run_leaves_its_folder(first: dict[str, Any]) -> None:
    folder = Path(first["folder"])

    assert {path.name for path in folder.iterdir()} == {
        *("spec.json", "status.json", "log.txt", "artefacts", "decision.json", "report.html"),
    }
    assert json.loads((folder / "decision.json").read_text()) == first["decision"]
    assert "trained on" in (folder / "log.txt").read_text()
    assert "\x1b[" not in (folder / "log.txt").read_text()


def test_the_report_is_one_file_that_loads_nothing(first: dict[str, Any], second: dict[str, Any], place: Place) -> None:
    made = fonderie(place, "report", "--model", "small")

    for page in (Path(first["report"]), Path(made.stdout.strip())):
        text = page.read_text()
        assert "<svg" in text
        for outside in ("http://", "https://", "<script", "<link", "src=", "@import", "url("):
            assert outside not in text, f"{outside} in {page}"


def test_training_and_held_out_rows_share_no_day(first: dict[str, Any]) -> None:
    from ml.datasets.parquet import read_parquet

    folder = next((Path(first["folder"]) / "artefacts").glob("*/features"))
    trained, held = (set(read_parquet(folder / name)["day_number"].to_pylist()) for name in ("training", "holdout"))

    assert max(trained) < min(held)
    assert first["evaluation"]["challenger"]["rows"] == len(read_parquet(folder / "holdout"))


def test_the_commands_show_what_ran(place: Place, first: dict[str, Any], second: dict[str, Any]) -> None:
    runs = json.loads(fonderie(place, "runs", "list", "--json").stdout)
    assert [(run["state"], run["outcome"]) for run in runs[:2]] == [("succeeded", "promote"), ("succeeded", "keep")]
    assert "v001" in fonderie(place, "models", "list", "small").stdout
    shown = json.loads(fonderie(place, "models", "show", "small", "--json").stdout)
    assert shown["version"] == 1
    assert "Executing task" not in fonderie(place, "runs", "show", first["run"]["id"]).stdout
    assert "trained on" in fonderie(place, "runs", "show", first["run"]["id"], "--log", "--task", "train").stdout
    assert "registered" in fonderie(place, "models", "log", "small").stdout
    refused = fonderie(place, "models", "rollback", "small", "--reason", "alarm")
    assert (refused.returncode, "no previous champion" in refused.stderr) == (7, True)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--model", "smal", "--month", "2013-02"), 3, "small"),
        (("--model", "small", "--month", "2013-13"), 3, "2013-13"),
        (("--model", "small", "--month", "2014-01"), 4, "2013-01 to 2013-03"),
    ],
)
def test_a_wrong_argument_is_said_before_anything_runs(
    place: Place, arguments: tuple[str, ...], code: int, says: str
) -> None:
    answer = fonderie(place, "run", "training", *arguments)

    assert answer.returncode == code
    assert says in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_wrong_key_in_the_model_s_file_is_named(tmp_path: Path) -> None:
    place = small_place(tmp_path, text=SMALL.replace("min_gain", "min_gian"), per_day=1)

    answer = train(place, "2013-02")

    assert answer.returncode == 3
    assert "min_gian" in answer.stdout
    assert "small.toml" in answer.stdout


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return small_place(tmp_path_factory.mktemp("broken"), per_day=2)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-100]), "cannot be read as Parquet"),
        (lambda path: change(path, lambda frame: frame.drop(columns="distance")), "columns missing: distance"),
    ],
    ids=["truncated", "column missing"],
)
def test_a_failing_task_says_why_once_with_its_artefacts(broken: Place, spoil: Any, says: str) -> None:
    path = broken.data / "flights" / "2013-02.parquet"
    whole = path.read_bytes()
    spoil(path)

    answer = fonderie(broken, "run", "training", "--model", "small", "--month", "2013-02")
    path.write_bytes(whole)

    assert answer.returncode == 5
    assert "task validate" in answer.stderr
    assert answer.stderr.count(says) == 1
    assert answer.stderr.count("Traceback") == 1
    assert "/validate" in answer.stderr.splitlines()[-1]
    assert "\x1b[" not in answer.stderr
    assert not (broken.home / "registry").exists()
    last = json.loads(fonderie(broken, "runs", "list", "--json").stdout)[-1]
    assert last["state"] == "failed"


@pytest.mark.parametrize(("room", "says"), [(1000, "error: the disk is full"), (60_000, "the disk is full")])
def test_a_full_disk_is_said_and_leaves_no_version(tmp_path: Path, room: int, says: str) -> None:
    """Full before the run has a folder, and full in the middle of it."""
    place = small_place(tmp_path, per_day=10)

    answer = fonderie(place, "run", "training", "--model", "small", "--month", "2013-02", room=room)

    assert answer.returncode == 5
    assert says in answer.stderr
    assert ("Traceback" in answer.stderr) == (room > 1000)
    assert not (place.home / "registry").exists()
    assert [path for path in place.home.rglob(".*") if path.is_file() and path.name != ".lock"] == []


def test_a_run_that_is_stopped_or_killed_is_marked_and_registers_nothing(tmp_path: Path) -> None:
    place = small_place(tmp_path, per_day=10)

    for stop, code in ((signal.SIGTERM, 130), (signal.SIGKILL, -9)):
        running = subprocess.Popen(
            [sys.executable, "-m", "fonderie.cli.main", "run", "training", "--model", "small", "--month", "2013-02"],
            cwd=ROOT,
            env={**os.environ, **place.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        logs = place.home / "runs"
        until(lambda logs=logs: any("Executing task 'features'" in log.read_text() for log in logs.glob("*/log.txt")))
        running.send_signal(stop)
        _, said = running.communicate(timeout=60)
        assert running.returncode == code, said
        listed = json.loads(fonderie(place, "runs", "list", "--json").stdout)
        assert [run["state"] for run in listed] == ["interrupted"]
        (run,) = logs.iterdir()
        run.rename(tmp_path / f"stopped-by-{int(stop)}")
    assert not (place.home / "registry").exists()


def until(holds: Any, timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)
