"""Runs are found again, whole or marked, whatever happened to their process."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fonderie.core.errors import BadDataError, BadInputError, ConflictError
from pipelines.engines import Run, RunState
from pipelines.engines.folder import RunFolder, run_ids
from pipelines.engines.local import LocalEngine, local_spec


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))


def start(name: str, tmp_path: Path, process: int | None) -> RunFolder:
    spec = tmp_path / "spec.json"
    spec.write_text("{}")
    folder = RunFolder(name)
    folder.create(
        Run(
            id=name,
            pipeline="training",
            model="small",
            parameters={"month": "2013-02"},
            spec_sha256="0",
            state=RunState.RUNNING,
            started=datetime(2013, 3, 1, tzinfo=UTC),
            process=process,
        ),
        spec,
    )
    return folder


def dead_process() -> int:
    ended = subprocess.Popen(["true"])
    ended.wait()
    return ended.pid


def test_a_run_whose_process_is_gone_is_interrupted(tmp_path: Path) -> None:
    folder = start("one", tmp_path, dead_process())

    assert folder.read().state is RunState.INTERRUPTED
    assert RunState.INTERRUPTED in (folder.path / "status.json").read_text()


def test_a_run_whose_process_lives_is_running(tmp_path: Path) -> None:
    assert start("one", tmp_path, os.getpid()).read().state is RunState.RUNNING


def test_the_same_id_twice_is_a_conflict(tmp_path: Path) -> None:
    start("one", tmp_path, None)

    with pytest.raises(ConflictError, match="the run already exists"):
        start("one", tmp_path, None)


def test_an_unknown_run_and_a_torn_status_are_said(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="unknown run"):
        LocalEngine().get("nothing")
    folder = start("one", tmp_path, None)
    (folder.path / "status.json").write_text("{")
    with pytest.raises(BadDataError, match=r"status\.json"):
        folder.read()


def test_cancelling_ends_a_running_process_and_leaves_an_ended_run_alone(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "60"])
    start("one", tmp_path, process.pid)
    start("two", tmp_path, dead_process())

    assert LocalEngine().cancel("one").state is RunState.CANCELLED
    assert process.wait(timeout=10) != 0
    assert LocalEngine().cancel("two").state is RunState.INTERRUPTED
    assert run_ids() == ["one", "two"]


def test_a_local_spec_waits_for_no_retry_and_asks_for_no_machine() -> None:
    spec = {
        "root": {"dag": {"tasks": {"a": {"retryPolicy": {"maxRetryCount": 2}, "taskInfo": {"name": "a"}}}}},
        "components": {"c": {"dag": {"tasks": {"b": {"retryPolicy": {}}}}}, "d": {"executorLabel": "e"}},
        "deploymentSpec": {"executors": {"e": {"container": {"image": "python", "resources": {"cpuLimit": 4}}}}},
    }

    made = local_spec(spec)

    assert "retryPolicy" not in str(made)
    assert made["deploymentSpec"]["executors"]["e"]["container"] == {"image": "python"}
    assert made["root"]["dag"]["tasks"]["a"] == {"taskInfo": {"name": "a"}}
