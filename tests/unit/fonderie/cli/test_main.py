"""The command line itself: versions, wrong usage, and what a machine reads of it."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from fonderie.core.errors import ExitCode

FONDERIE = Path(sys.executable).with_name("fonderie")


def fonderie(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FONDERIE, *words], capture_output=True, text=True, check=False, timeout=60)


def test_version_is_the_packages() -> None:
    assert fonderie("--version").stdout == f"fonderie {version('fonderie')}\n"


@pytest.mark.parametrize(
    ("words", "what", "help_of"),
    [
        (["previw"], "No such command 'previw'. Did you mean 'preview'", "fonderie"),
        (["preview", "--evn", "dev"], "No such option: --evn", "fonderie preview"),
        (["models", "promote"], "Missing argument", "fonderie models promote"),
        (["load", "air_time", "--seconds", "soon"], "Invalid value for '--seconds'", "fonderie load"),
    ],
)
def test_wrong_usage_never_ends_with_the_code_that_means_changes(words: list[str], what: str, help_of: str) -> None:
    done = fonderie(*words)

    assert done.returncode == ExitCode.BAD_INPUT
    assert done.stdout == ""
    assert what in done.stderr
    assert f"hint: {help_of} --help" in done.stderr


def test_wrong_usage_is_an_object_for_machines() -> None:
    done = fonderie("drift", "--json", "--evn", "dev")

    assert json.loads(done.stdout)["exit_code"] == done.returncode == ExitCode.BAD_INPUT


def test_a_group_without_a_command_shows_its_help() -> None:
    done = fonderie("runs")

    assert "show" in done.stdout
    assert "error" not in done.stderr


def test_a_folder_that_cannot_be_written_is_named_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "home"

    done = subprocess.run(
        [FONDERIE, "demo"], env=os.environ | {"FONDERIE_HOME": str(inside)}, capture_output=True, text=True, check=False
    )

    assert done.returncode == ExitCode.STEP_FAILED
    assert f"error: {inside}" in done.stderr
    assert "not a directory" in done.stderr
    assert "hint: set FONDERIE_HOME to another folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("default_sigint")
def test_what_is_interrupted_says_so_and_ends_with_its_code() -> None:
    slow = (
        "import time, fonderie.cli.commands.check as c; c.command = lambda: time.sleep(60); print('begun', flush=True)"
    )
    command = [
        sys.executable,
        "-c",
        f"import sys; sys.argv[1:] = ['check']; {slow}; from fonderie.cli.main import main; main()",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "begun\n"
        time.sleep(1)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=20)

    assert running.returncode == ExitCode.INTERRUPTED
    assert said == "interrupted\n"
