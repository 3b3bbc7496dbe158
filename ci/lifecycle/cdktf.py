"""The real `cdktf` over an environment's stacks, from any folder of the clone; again where Google is only not ready.

Typed by hand, `cdktf` stops at the first refusal, and finds neither its app nor the tools from another folder.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fonderie.core.errors import MissingToolError
from fonderie.terraform.refusals import patiently
from fonderie.terraform.runner import TerraformError, pause
from infra import names
from infra.bindings import ROOT
from infra.names import StackName
from infra.settings import Environment

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STACK = re.compile(r"^[\w-]*\s+(?=[╷│╵])")  # cdktf puts the stack before the first line of what Terraform says
_ERROR = re.compile(r"^Error: (.*?)(?=^╵|\Z)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Cdktf:
    """`cdktf` for one environment. `tell` is told what is waited for."""

    env: Environment
    tell: Callable[[str], None]
    variables: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    wait: Callable[[float], None] = pause

    def deploy(self) -> None:
        """Deploy all stacks, without asking. Raises TerraformError for what does not pass by itself."""
        patiently(lambda: self._run("deploy", f"{self.env.name}-*", "--auto-approve"), self.tell, wait=self.wait)

    def diff(self) -> None:
        """Show each stack's plan. Raises TerraformError."""
        for number, stack in enumerate(names.stack(self.env, each) for each in StackName):
            self._run("diff", stack, *(["--skip-synth"] if number else []))

    def surroundings(self) -> dict[str, str]:
        """The variables of the command: this clone's tools first. In the sandbox they are there, behind its guards."""
        path = self.variables.get("PATH", "")
        if "FONDERIE_SANDBOX" not in self.variables:
            path = os.pathsep.join([str(ROOT / "node_modules" / ".bin"), str(Path(sys.executable).parent), path])
        return {**self.variables, "PATH": path, "FONDERIE_ENV": self.env.name}

    def _run(self, verb: str, *words: str) -> None:
        surroundings = self.surroundings()
        binary = shutil.which("cdktf", path=surroundings["PATH"])
        if binary is None:
            raise MissingToolError("cdktf is not installed", hint="run `make setup`")
        code, said = _told([binary, verb, *words], surroundings)
        if code:
            raise TerraformError(f"`cdktf {verb}` exits with {code}", errors_in(said), where=self.env.name)


def _told(command: list[str], variables: Mapping[str, str]) -> tuple[int, str]:
    """Run a command in the clone's folder, show what it says as it comes; its code, and all of it."""
    said = bytearray()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        while piece := os.read(process.stdout.fileno(), 65_536):
            said += piece
            sys.stdout.write(piece.decode(errors="replace"))
            sys.stdout.flush()
    finally:  # an interrupt reaches it too: Terraform saves its state
        code = process.wait()
        process.stdout.close()
    return code, said.decode(errors="replace")


def errors_in(said: str) -> list[str]:
    """Terraform's errors, one by one, from what `cdktf` shows of them: boxes, each stack's at a margin of its own."""
    lines = [_STACK.sub("", _COLOURS.sub("", line)) for line in said.splitlines()]
    return [
        " ".join(each.split()) for each in _ERROR.findall("\n".join(line.removeprefix("│").strip() for line in lines))
    ]
