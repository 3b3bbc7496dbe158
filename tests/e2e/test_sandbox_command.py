import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
FONDERIE = [sys.executable, "-m", "fonderie.cli.main", "sandbox"]
ROOT = Path(__file__).parents[2]
TOPICS = {
    "provider": {"google": {"project": "demo-proj"}},
    "resource": {
        "google_project_service": {"pubsub": {"service": "pubsub.googleapis.com", "disable_on_destroy": False}},
        "google_pubsub_topic": {
            "t": {"count": 20, "name": "t${count.index}", "depends_on": ["google_project_service.pubsub"]}
        },
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "main.tf.json").write_text(json.dumps(TOPICS))
    yield tmp_path
    assert not _stand_ins(tmp_path), "a stand-in was left behind"


def sandbox(folder: Path, *arguments: str, code: int | None = 0) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    done = subprocess.run(
        [*FONDERIE, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    if code is not None:
        assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def terraform(folder: Path, *arguments: str, code: int | None = 0) -> str:
    return sandbox(folder, "run", "--", "terraform", *arguments, code=code)


def _stand_ins(folder: Path) -> list[str]:
    listed = subprocess.run(["ps", "-ewwo", "pid,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in listed if "fonderie.sandbox.process" in line and str(folder) in line]


def test_a_command_runs_with_the_stand_in_and_its_code_comes_back(folder: Path) -> None:
    sandbox(folder, "run", "--", "sh", "-c", 'test -n "$TF_REATTACH_PROVIDERS" && exit 7', code=7)


def test_a_file_for_calls_that_cannot_be_written_is_refused_before_anything_starts(folder: Path) -> None:
    said = sandbox(folder, "run", "--calls", "nowhere/calls.jsonl", "--", "touch", "started", code=3)
    assert "cannot be written: No such file or directory" in said
    assert "--calls" in said
    assert not (folder / "started").exists()


TOOL = """#!/bin/sh
echo "$(basename "$0") $*: $CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE $CLOUDSDK_AUTH_ACCESS_TOKEN"
"""


def test_gcloud_and_docker_go_to_the_sandbox_or_nowhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gcloud", "docker"):
        tool = folder / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(TOOL)
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
    answered = ["gcloud beta builds list", "gcloud storage ls", "gcloud auth configure-docker x --quiet",
                "docker build --tag europe-west1-docker.pkg.dev/p/r/i .", "docker push localhost:5000/i"]  # fmt: skip
    refused = ["gcloud ai models list", "gcloud auth login", "gcloud", "docker push europe-west1-docker.pkg.dev/p/r/i",
               "docker pull gcr.io/p/i"]  # fmt: skip
    commands = "; ".join(f"{each}; echo = $?" for each in (*answered, *refused))

    said = sandbox(folder, "run", "--", "sh", "-c", commands).splitlines()

    assert said[1 : 2 * len(answered) : 2] == ["= 0"] * len(answered)
    for line, command in zip(said[: 2 * len(answered) : 2], answered, strict=True):
        assert re.fullmatch(rf"{re.escape(command)}: http://127\.0\.0\.1:\d+/storage/v1/ sandbox\.\S+", line)
    assert said.count("= 7") == len(refused)
    assert sum("would reach the real" in line for line in said) == len(refused)


def test_real_terraform_deploys_shows_and_destroys(folder: Path) -> None:
    terraform(folder, "init")
    assert "21 added" in terraform(folder, "apply", "-auto-approve")
    terraform(folder, "plan", "-detailed-exitcode")
    shown = json.loads(sandbox(folder, "show", "--json", "topics/t19"))
    assert shown["objects"][0]["path"] == "projects/demo-proj/topics/t19"
    assert "21 destroyed" in terraform(folder, "destroy", "-auto-approve")


def test_a_command_that_is_not_there_is_named(folder: Path) -> None:
    assert "command not found: no-such-tool" in sandbox(folder, "run", "--", "no-such-tool", code=8)


def test_a_corrupt_cloud_is_refused_and_left_as_it_is(folder: Path) -> None:
    file = folder / "broken.sqlite"
    file.write_bytes(b"this is not a database")
    assert "not a cloud file" in sandbox(folder, "run", "--cloud", str(file), "--", "true", code=4)
    assert file.read_bytes() == b"this is not a database"


def test_a_schema_that_does_not_fit_the_facts_is_refused(folder: Path) -> None:
    schema = {"provider_schemas": {"x": {"provider": {"block": {}}, "resource_schemas": {"google_new": {"block": {}}}}}}
    (folder / "schema.json").write_text(json.dumps(schema))
    assert "google_new" in sandbox(folder, "run", "--schema", str(folder / "schema.json"), "--", "true", code=3)


def test_a_crash_leaves_what_was_made_and_applying_again_converges(folder: Path) -> None:
    terraform(folder, "init")
    sandbox(folder, "faults", "--crash-after", "12")
    assert "the stand-in died" in terraform(folder, "apply", "-auto-approve", code=5)
    made = len(json.loads(sandbox(folder, "show", "--json"))["objects"])
    assert 1 <= made <= 12
    assert f"{21 - made} added, 0 changed, 0 destroyed" in terraform(folder, "apply", "-auto-approve")
    terraform(folder, "plan", "-detailed-exitcode")


def test_transient_errors_are_retried_and_leave_no_trace(folder: Path) -> None:
    terraform(folder, "init")
    sandbox(folder, "faults", "--rate", "429=0.1", "--rate", "503=0.1", "--seed", "7", "--time-scale", "0.01")
    assert "21 added" in terraform(folder, "apply", "-auto-approve")
    terraform(folder, "plan", "-detailed-exitcode")


def test_an_error_that_is_not_retried_surfaces_and_applying_again_converges(folder: Path) -> None:
    terraform(folder, "init")
    sandbox(folder, "faults", "--rate", "403=0.1", "--seed", "1")
    assert "Error 403" in terraform(folder, "apply", "-auto-approve", code=1)
    sandbox(folder, "faults", "--off")
    terraform(folder, "apply", "-auto-approve")
    terraform(folder, "plan", "-detailed-exitcode")


def test_killing_the_command_line_leaves_no_stand_in(folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    running = subprocess.Popen(
        [*FONDERIE, "run", "--cloud", str(folder / "c.sqlite"), "--", "sleep", "3"], env=environment
    )
    _wait(lambda: bool(_stand_ins(folder)))
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    _wait(lambda: not _stand_ins(folder))


def test_a_signal_reaches_the_command(folder: Path) -> None:
    script = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(9));"
        "print('up', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*FONDERIE, "run", "--cloud", str(folder / "c.sqlite"), "--", sys.executable, "-c", script]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "up\n"
    running.send_signal(signal.SIGTERM)
    assert running.wait(timeout=20) == 9
    running.stdout.close()


def test_the_third_signal_kills_a_command_that_ignores_them(folder: Path) -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, lambda *_: print('no', flush=True));"
        "print('up', flush=True); [time.sleep(60) for _ in range(10)]"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*FONDERIE, "run", "--cloud", str(folder / "c.sqlite"), "--", sys.executable, "-c", script]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in ("up\n", "no\n", "no\n"):
            assert running.stdout.readline() == line
            running.send_signal(signal.SIGTERM)
        assert running.wait(timeout=60) == 128 + signal.SIGKILL


def test_stopping_terraform_ends_what_it_waits_for(folder: Path) -> None:
    terraform(folder, "init")
    sandbox(folder, "faults", "--latency", "600s")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*FONDERIE, "run", "--", "terraform", "apply", "-auto-approve", "-no-color"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL) as running:  # fmt: skip
        assert running.stdout is not None
        for line in running.stdout:
            if ": Creating..." in line:
                running.send_signal(signal.SIGINT)
                break
        assert "context canceled" in running.stdout.read()
        assert running.wait(timeout=60) == 1
    assert json.loads(sandbox(folder, "show", "--json"))["objects"] == []


def _wait(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
