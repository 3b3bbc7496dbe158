"""`fonderie deploy` over what the real `cdktf` said (`tests/data/terraform`), again where Google was only not ready."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ci.lifecycle.cdktf import Cdktf, errors_in
from fonderie.cli.commands import deploy
from fonderie.core.errors import MissingToolError
from fonderie.terraform.runner import TerraformError
from infra.bindings import ROOT
from infra.settings import load_environment

SAID = ROOT / "tests" / "data" / "terraform" / "cdktf_refused.txt"  # cdktf 0.21, a network whose API was just enabled
CDKTF = """#!/bin/sh
echo "$PWD $FONDERIE_ENV $*" >>"{calls}"
case "$*" in
diff*) exit 0 ;;
esac
test "$(grep -c deploy "{calls}")" -gt {refusals} && exit 0
cat "{said}"
exit 1
"""


class Clone:
    """A `cdktf` that refuses a number of times, and what it was called with."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._calls = folder, folder / "calls"

    def cdktf(self, *, refusals: int, said: str | None = None) -> Cdktf:
        words = self.folder / "said"
        words.write_text(SAID.read_text() if said is None else said)
        tool = self.folder / "cdktf"
        tool.write_text(CDKTF.format(calls=self._calls, refusals=refusals, said=words))
        tool.chmod(0o755)
        variables = {**os.environ, "FONDERIE_SANDBOX": "x", "PATH": f"{self.folder}:/usr/bin:/bin"}
        self.told = list[str]()
        return Cdktf(load_environment("dev"), self.told.append, variables, wait=lambda _: None)

    @property
    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines()


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    monkeypatch.chdir(tmp_path)  # not the clone's folder
    return Clone(tmp_path)


def test_the_errors_are_read_out_of_the_boxes_of_a_stack() -> None:
    (error,) = errors_in(SAID.read_text())
    assert error.startswith(
        "Error creating Network: googleapi: Error 403: Compute Engine API has not been used in project"
    )
    assert "Details: reason SERVICE_DISABLED, service compute.googleapis.com" in error
    assert "\x1b" not in error
    assert "│" not in error


def test_a_refusal_that_passes_is_waited_for(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    clone.cdktf(refusals=2).deploy()
    assert clone.calls == [f"{ROOT} dev deploy dev-* --auto-approve"] * 3
    assert len(clone.told) == 2
    assert "Google is not ready: an API was just enabled" in clone.told[0]
    assert "SERVICE_DISABLED" in capsys.readouterr().out  # shown as it comes


def test_another_refusal_is_none_of_those(clone: Clone) -> None:
    said = SAID.read_text() + "x-data  ╷\n  │ Error: Error creating Topic: googleapi: Error 403: no, forbidden\n  ╵\n"
    with pytest.raises(TerraformError, match="`cdktf deploy` exits with 1") as caught:
        clone.cdktf(refusals=9, said=said).deploy()
    assert len(caught.value.messages) == 2
    assert len(clone.calls) == 1


def test_a_diff_synthesises_once_and_shows_every_stack(clone: Clone) -> None:
    clone.cdktf(refusals=0).diff()
    stacks = [f"dev-{kind}" for kind in ("bootstrap", "foundation", "data", "runtime", "delivery")]
    skips = ["", *[" --skip-synth"] * 4]
    assert clone.calls == [f"{ROOT} dev diff {stack}{skip}" for stack, skip in zip(stacks, skips, strict=True)]


def test_without_cdktf_it_is_said(tmp_path: Path) -> None:
    variables = {"PATH": str(tmp_path), "FONDERIE_SANDBOX": "x"}
    with pytest.raises(MissingToolError, match="cdktf is not installed"):
        Cdktf(load_environment("dev"), print, variables).deploy()


def test_outside_the_sandbox_the_clones_own_tools_come_first() -> None:
    found = Cdktf(load_environment("dev"), print, {"PATH": "/usr/bin"}).surroundings()
    folders = found["PATH"].split(os.pathsep)
    assert folders == [str(ROOT / "node_modules" / ".bin"), str(Path(sys.executable).parent), "/usr/bin"]


@pytest.mark.parametrize(("answer", "calls"), [("y", 6), ("n", 5)])
def test_the_command_shows_the_plan_and_asks(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, answer: str, calls: int
) -> None:
    made = clone.cdktf(refusals=0)
    monkeypatch.setattr("ci.lifecycle.cdktf.Cdktf", lambda *_: made)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: answer == "y" or sys.exit(1))
    if answer == "n":
        with pytest.raises(SystemExit):
            deploy.command("dev")
    else:
        deploy.command("dev")
    assert len(clone.calls) == calls
