"""The chicken and the egg: the bootstrap stack makes the bucket that its own state is to be kept in.

    local state -> apply -> service agents -> move the state into the bucket

Every step can be run again: what is there already is left alone, and a run that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ci.synth import synthesise
from fonderie.core.errors import MissingToolError, StepFailedError
from fonderie.google.agents import MakeAgents, make_agents
from infra import names
from infra.main import chosen_backend, chosen_outdir
from infra.names import AGENTS_ON_DEMAND, LOCAL_STATE
from infra.settings import Backend, Environment

TAIL = 15  # lines of Terraform's that a message repeats


@dataclass(frozen=True)
class Bootstrap:
    """One run of it. `tell` is told each step as it begins."""

    env: Environment
    tell: Callable[[str], None]
    agents: MakeAgents = make_agents

    def run(self) -> Path | None:
        """Apply the stack, make the service agents, keep the state where it belongs; the local state's place if any."""
        remote = chosen_backend(self.env) is Backend.GCS
        if remote and not self.local_state.is_file() and self._is_in_the_bucket():
            self.tell("the state is in its bucket: applying what changed")
            self._apply(Backend.GCS)
            self._make_agents()
            return None
        self.tell(f"applying with the state on this machine ({self.local_state})")
        self._apply(Backend.LOCAL)
        self._make_agents()
        if not remote:
            return self.local_state
        self.tell(f"moving the state into gs://{names.bucket(self.env, names.Bucket.STATE)}")
        self._move()
        return None

    @property
    def stack(self) -> str:
        """Id of the stack."""
        return names.stack(self.env, names.Stack.BOOTSTRAP)

    @property
    def folder(self) -> Path:
        """Where Terraform works."""
        return chosen_outdir().absolute() / "stacks" / self.stack

    @property
    def local_state(self) -> Path:
        """Where the state is before there is a bucket: see `EnvironmentStack`."""
        return (self.folder / LOCAL_STATE.format(self.stack)).resolve()

    def _is_in_the_bucket(self) -> bool:
        """Whether the bucket is there and holds the stack's state. Raises StepFailedError when that can't be told."""
        self._synthesise(Backend.GCS)
        done = self._terraform("init", "-reconfigure", check=False)
        if done.returncode == 0:
            return bool(self._terraform("state", "pull").stdout.strip())
        if "bucket doesn't exist" in done.stderr or "notFound" in done.stderr:
            return False
        raise _failed("init", done)

    def _apply(self, backend: Backend) -> None:
        self._synthesise(backend)
        self._terraform("init", "-reconfigure")
        self._terraform("apply", "-auto-approve")

    def _make_agents(self) -> None:
        self.tell(f"service agents: {', '.join(agent.partition('.')[0] for agent in AGENTS_ON_DEMAND)}")
        self.agents(self.env, AGENTS_ON_DEMAND)

    def _move(self) -> None:
        """Terraform copies the state itself; the local one goes only once the bucket's holds the same resources."""
        self._synthesise(Backend.GCS)
        self._terraform("init", "-migrate-state", "-force-copy")
        kept, moved = self.local_state.read_text(encoding="utf-8"), self._terraform("state", "pull").stdout
        if _resources(kept) != _resources(moved):
            raise StepFailedError(
                "the state in the bucket differs from the one on this machine",
                where=self.local_state,
                hint="nothing was removed; compare them with `terraform state pull`, then run the command again",
            )
        self.local_state.replace(self.local_state.with_suffix(".moved"))

    def _synthesise(self, backend: Backend) -> None:
        synthesise([self.env], chosen_outdir(), backend=backend)

    def _terraform(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        if not shutil.which("terraform"):
            raise MissingToolError("terraform is not on PATH", hint="install Terraform 1.11 or later")
        options = [] if arguments[0] == "state" else ["-no-color", "-input=false"]
        command = ["terraform", f"-chdir={self.folder}", *arguments, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise _failed(arguments[0], done)
        return done


def _failed(step: str, done: subprocess.CompletedProcess[str]) -> StepFailedError:
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip(" ╷│╵")]
    return StepFailedError(
        f"`terraform {step}` failed:\n" + "\n".join(lines[-TAIL:]),
        where="bootstrap",
        hint="fix the cause and run the command again: it continues where it stopped",
    )


def _resources(state: str) -> set[tuple[str, str]]:
    return {(each["type"], each["name"]) for each in json.loads(state or "{}").get("resources", [])}
