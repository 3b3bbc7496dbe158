"""The Terraform command line: one stack's folder at a time, with what it says as data."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fonderie.core.errors import MissingToolError, StepFailedError

OLDEST = (1, 5)  # import blocks, and providers that are attached under protocol 6
_HINT = "install Terraform 1.5 or later, or set TERRAFORM_BINARY_NAME to OpenTofu's `tofu`"


@dataclass(frozen=True)
class Event:
    """Something Terraform did, for progress: `kind` is one of planned, started, complete, failed, refreshed."""

    stack: str
    kind: str
    address: str
    action: str


Progress = Callable[[Event], None]


def silent(_event: Event) -> None:
    """A progress callback that prints nothing."""


def find(environment: Mapping[str, str] | None = None) -> str:
    """The binary. Raises MissingToolError when there is none, or one that is too old."""
    environment = environment or os.environ
    return _checked(environment.get("TERRAFORM_BINARY_NAME", "terraform"), environment.get("PATH", ""))


@cache
def _checked(name: str, path: str) -> str:
    binary = shutil.which(name, path=path)
    if binary is None:
        raise MissingToolError(f"{name} is not installed", hint=_HINT)
    done = subprocess.run([binary, "version", "-json"], capture_output=True, text=True, check=False)
    found = re.search(r'"terraform_version":\s*"(\d+)\.(\d+)[^"]*"', done.stdout)
    if found is None:
        raise MissingToolError(f"{binary} did not print a version: is it Terraform?", hint=_HINT)
    if (int(found[1]), int(found[2])) < OLDEST:
        raise MissingToolError(f"{binary} is version {found[1]}.{found[2]}, which is too old", hint=_HINT)
    return binary


@dataclass(frozen=True)
class Terraform:
    """Terraform in the folder of one stack."""

    binary: str
    folder: Path
    stack: str
    environment: Mapping[str, str]
    progress: Progress = silent

    def init(self) -> None:
        """Prepare the folder; what is prepared already is left."""
        self._run("init", "-input=false", "-no-color")

    def plan(self, out: Path, *arguments: str) -> bool:
        """Write a plan; whether it changes anything."""
        return (
            self._run("plan", "-input=false", "-detailed-exitcode", "-json", f"-out={out}", *arguments, good=(0, 2))
            == 2
        )

    def show(self, plan: Path) -> dict[str, Any]:
        """A plan, or the state (`plan` left out), as Terraform's JSON."""
        done = self._popen("show", "-json", str(plan))
        text, problem = done.communicate()
        if done.returncode:
            raise StepFailedError(f"terraform show failed: {problem.strip()}", where=self.stack)
        shown: dict[str, Any] = json.loads(text)
        return shown

    def apply(self, *arguments: str) -> None:
        """Apply, without asking; a plan's file may be given."""
        self._run("apply", "-input=false", "-auto-approve", "-json", *arguments)

    def destroy(self, *arguments: str) -> None:
        """Run `terraform destroy -auto-approve` on the whole stack. Raises StepFailedError."""
        self._run("destroy", "-input=false", "-auto-approve", "-json", *arguments)

    def import_(self, address: str, id: str) -> None:
        """Take what exists into the state."""
        self._run("import", "-input=false", "-no-color", address, id)

    def state(self) -> list[str]:
        """Addresses in the state; none when there is no state."""
        done = self._popen("state", "list")
        text, problem = done.communicate()
        if done.returncode and "No state file" not in problem:
            raise StepFailedError(f"terraform state list failed: {problem.strip()}", where=self.stack)
        return text.split("\n")[:-1] if not done.returncode else []

    def resources(self) -> list[dict[str, Any]]:
        """The resources of the state, with `address`, `type` and `values`; none when there is no state."""
        done = self._popen("show", "-json")
        text, problem = done.communicate()
        if done.returncode:
            raise StepFailedError(f"terraform show failed: {problem.strip()}", where=self.stack)
        module = json.loads(text).get("values", {}).get("root_module", {})
        return [one for one in module.get("resources", []) if one["mode"] == "managed"]

    # -- running it

    def _popen(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.binary, *arguments],
            cwd=self.folder,
            env={**self.environment, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _run(self, *arguments: str, good: tuple[int, ...] = (0,)) -> int:
        """Run to the end. Raises StepFailedError with the first error that Terraform told."""
        running = self._popen(*arguments)
        assert running.stdout is not None
        assert running.stderr is not None
        told = list(self._told(running.stdout))
        problem = running.stderr.read()
        code = running.wait()
        running.stdout.close()
        running.stderr.close()
        if code in good:
            return code
        errors = [one for one in told if one] or [line for line in problem.split("\n") if "Error" in line] or [problem]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise StepFailedError(f"terraform {arguments[0]}: {errors[0].strip()}{more}", where=self.stack)

    def _told(self, lines: Iterator[str] | Any) -> Iterator[str]:
        """Errors, from the lines of `-json`; the rest becomes progress."""
        for line in lines:
            if not line.startswith("{"):
                continue
            said = json.loads(line)
            if said.get("@level") == "error" and "diagnostic" in said:
                yield _sentence(said["diagnostic"])
            elif (kind := _KINDS.get(said.get("type"))) is not None:
                hook = said.get("hook") or said.get("change") or {}
                address = hook.get("resource", {}).get("addr", "")
                self.progress(Event(self.stack, kind, address, str(hook.get("action", ""))))


_KINDS = {
    "planned_change": "planned",
    "apply_start": "started",
    "apply_complete": "complete",
    "apply_errored": "failed",
    "refresh_complete": "refreshed",
}


def _sentence(diagnostic: Mapping[str, Any]) -> str:
    address = f"{diagnostic['address']}: " if diagnostic.get("address") else ""
    detail = " ".join(str(diagnostic.get("detail", "")).split())
    return f"{address}{diagnostic.get('summary', '')}" + (f" {detail}" if detail else "")
