"""The check of a fresh machine's tools, run as the Makefile runs it, on folders of tools made for the test."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "ci" / "setup.sh"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with everything the script wants, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "sort", "head", "sed", "tr"):
        (folder / name).symlink_to(shutil.which(name) or "")
    (folder / "python3").symlink_to(sys.executable)
    say(folder, "node", "v20.11.0")
    say(folder, "npm", "11.0.0")
    say(folder, "terraform", "Terraform v1.11.4")
    return folder


def say(folder: Path, tool: str, version: str) -> None:
    script(folder, tool, f"echo '{version}'")


def script(folder: Path, tool: str, text: str) -> None:
    (folder / tool).write_text(f"#!/bin/sh\n{text}\n")
    (folder / tool).chmod(0o755)


def check(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(folder), "HOME": os.environ.get("HOME", ""), **more}
    return subprocess.run([folder / "sh", SCRIPT], env=environment, capture_output=True, text=True, check=False)


def test_a_machine_with_all_tools_passes_and_the_python_is_named(tools: Path) -> None:
    done = check(tools)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "python3"


def test_a_python_that_is_there_but_fails_is_passed_over(tools: Path) -> None:
    script(tools, "python3.13", "exit 127")  # pyenv's shim of a version that is not selected
    (tools / "python3.12").symlink_to(sys.executable)

    assert check(tools).stdout.strip() == "python3.12"


def test_the_python_that_is_asked_for_is_taken_or_refused_never_replaced(tools: Path) -> None:
    script(tools, "python3.10", '[ "$1" = --version ] && echo Python 3.10.13')

    taken = check(tools, PYTHON=sys.executable)
    refused = check(tools, PYTHON="python3.10")

    assert taken.stdout.strip() == sys.executable
    assert refused.returncode == 8
    assert "fonderie needs Python 3.11, 3.12 or 3.13 with venv, found Python 3.10.13" in refused.stderr


@pytest.mark.parametrize(
    ("tool", "version", "said"),
    [
        ("node", "v18.20.0", "fonderie needs Node 20 or newer, found 18.20.0"),
        ("terraform", "Terraform v1.5.7", "fonderie needs Terraform 1.8 or newer, found 1.5.7"),
    ],
)
def test_a_tool_that_is_too_old_is_named_with_the_version_wanted(
    tools: Path, tool: str, version: str, said: str
) -> None:
    say(tools, tool, version)

    done = check(tools)

    assert done.returncode == 8
    assert said in done.stderr
    assert "get it: " in done.stderr


@pytest.mark.parametrize("tool", ["python3", "node", "npm", "terraform"])
def test_a_missing_tool_is_named_with_where_to_get_it(tools: Path, tool: str) -> None:
    (tools / tool).unlink()

    done = check(tools)

    assert done.returncode == 8
    assert "found none" in done.stderr
    assert "get it: " in done.stderr


def test_versions_compare_as_numbers_not_as_text(tools: Path) -> None:
    say(tools, "terraform", "Terraform v1.14.0")

    assert check(tools).returncode == 0


def test_opentofu_will_do_where_it_is_named(tools: Path) -> None:
    (tools / "terraform").unlink()
    say(tools, "tofu", "OpenTofu v1.8.3")

    assert check(tools, TERRAFORM_BINARY_NAME="tofu").returncode == 0
    assert "found none" in check(tools).stderr
