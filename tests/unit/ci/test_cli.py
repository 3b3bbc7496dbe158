"""The command line itself: versions, wrong usage, and what a machine reads of it."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from fonderie.errors import ExitCode

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
