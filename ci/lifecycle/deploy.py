"""Deploy, plan and destroy the stacks of environments with Terraform directly: in their order, side by side where none
waits for another.

`plan_all` is what previews use: stacks never read each other's state, so all plans are taken at once.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError, MissingToolError, RefusedError, StepFailedError
from fonderie.core.files import write_text
from fonderie.core.home import home
from fonderie.terraform import runner
from fonderie.terraform.refusals import patiently
from fonderie.terraform.runner import (
    AT_ONCE,
    Event,
    Progress,
    Terraform,
    cancelling,
    interruptible,
    pause,
    side_by_side,
    silent,
)

ROOT = Path(__file__).parents[2]
_SYNTHESIS_TIMEOUT_S = 300
_MOST_LINES = 12  # of a traceback


@dataclass(frozen=True)
class Stack:
    """A synthesised stack: its folder, and the stacks that must be there before it."""

    name: str
    folder: Path
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedStack:
    """The plan of one stack: Terraform's plan JSON, and the plan file when one was to be kept."""

    stack: str
    changes: bool
    plan: Mapping[str, Any]
    file: Path | None = None


def synthesise(
    environments: Sequence[str],
    outdir: Path,
    *,
    source: Path = ROOT,
    variables: Mapping[str, str] | None = None,
) -> list[Stack]:
    """Write the stacks of these environments into `outdir`, and return them.

    The app is the one that `source`, a working copy, names in its `cdktf.json`; it runs in a process of its own, on
    this Python. Raises StepFailedError with what it said.
    """
    where = ", ".join(environments)
    surroundings = {
        **(variables or os.environ),
        "FONDERIE_ENV": ",".join(environments),
        "FONDERIE_HOME": str(home()),
        "PYTHONPATH": str(source.absolute()),
        "CDKTF_OUTDIR": str(outdir.absolute()),
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }
    try:
        done = subprocess.run(
            _app(source),
            env=surroundings,
            cwd=source,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SYNTHESIS_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise StepFailedError(f"the synthesis took more than {_SYNTHESIS_TIMEOUT_S} s", where=where) from error
    except OSError as error:
        raise MissingToolError(f"{error.filename}: {error.strerror}", where=source / "cdktf.json") from error
    if done.returncode:
        raise StepFailedError(f"the synthesis failed: {_last_words(done.stderr)}", where=where)
    return stacks_in(outdir)


def _app(source: Path) -> list[str]:
    """The command that `cdktf.json` names; its Python is ours. Raises BadInputError without one."""
    file = source / "cdktf.json"
    try:
        program, *arguments = shlex.split(json.loads(file.read_text(encoding="utf-8"))["app"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInputError("does not name an app", where=file, hint='"app": "python -m ..."') from error
    return [sys.executable if re.fullmatch(r"python[\d.]*", Path(program).name) else program, *arguments]


def _last_words(stderr: str) -> str:
    """Our own error whole, or the end of a traceback."""
    lines = stderr.strip().split("\n")
    first = max((number for number, line in enumerate(lines) if line.startswith("error: ")), default=-_MOST_LINES)
    return "\n".join(lines[first:]).removeprefix("error: ")


def stacks_in(outdir: Path) -> list[Stack]:
    """The stacks that were synthesised into `outdir`, each after those it depends on. Raises BadInputError."""
    manifest = outdir / "manifest.json"
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))["stacks"]
    except (OSError, ValueError, KeyError) as error:
        raise BadInputError("there are no synthesised stacks here", where=outdir, hint="run `cdktf synth`") from error
    found = [
        Stack(name, (outdir / one["workingDirectory"]).resolve(), tuple(one.get("dependencies", ())))
        for name, one in listed.items()
    ]
    return _in_order(found)


def _in_order(stacks: Iterable[Stack]) -> list[Stack]:
    left, done = {one.name: one for one in stacks}, list[Stack]()
    while left:
        ready = [one for one in left.values() if not set(one.after) & left.keys()]
        if not ready:
            raise BadInputError("dependency cycle between stacks", where=", ".join(left))
        done += ready
        left = {name: one for name, one in left.items() if one not in ready}
    return done


BY_A_PERSON = "bootstrap"


def by_a_person(stack: str) -> bool:
    """Whether only a person applies a stack, by `fonderie bootstrap`: CI plans it and applies none of it."""
    return stack.endswith(f"-{BY_A_PERSON}")


# What Terraform says of a state that is not there to somebody who may not write it: it wants to write an empty one.
_NO_STATE = re.compile(r'writing "gs://\S+\.tflock" failed:.*\b403\b', re.DOTALL)
_READ_BY_TERRAFORM = re.compile(r"\.(?:tf|tofu|tfvars)(?:\.json)?$|^terraform\.d$")
_WITHOUT_STATE = "without-state"


@dataclass(frozen=True)
class Deployer:
    """Terraform over several stacks. `environment` is that of the commands: the sandbox's, or the process's own.

    With `reads_only` neither a lock nor a state is written: who plans may read the bucket of the states, no more.
    """

    environment: Mapping[str, str]
    progress: Progress = silent
    reads_only: bool = False
    wait: Callable[[float], None] = pause
    _ready: dict[Path, Terraform] = field(default_factory=dict)

    def terraform(self, stack: Stack) -> Terraform:
        """Terraform for one stack, its folder prepared. Raises MissingToolError when it is not there or too old."""
        if stack.folder not in self._ready:
            self._ready[stack.folder] = self._prepared(stack)
        return self._ready[stack.folder]

    def _prepared(self, stack: Stack) -> Terraform:
        _alone(stack)
        binary = runner.find(self.environment)
        run = Terraform(binary, stack.folder, stack.name, self.environment, self.progress, lock=not self.reads_only)
        try:
            run.init()
        except StepFailedError as error:
            if not (self.reads_only and _NO_STATE.search(error.what)):
                raise
            run = replace(run, folder=_without_state(stack))
            run.init()
        return run

    def plan_all(
        self,
        stacks: Sequence[Stack],
        *,
        keep_in: Path | None = None,
        refresh: bool = True,
        destroy: bool = False,
    ) -> list[PlannedStack]:
        """Plan every stack, all at once; in the order of `stacks`. `keep_in` keeps the plan files (they hold secrets).

        Raises StepFailedError for the first stack whose plan fails.
        """
        arguments = [*([] if refresh else ["-refresh=false"]), *(["-destroy"] if destroy else [])]
        with tempfile.TemporaryDirectory(prefix="fonderie-plans-") as temporary:
            folder = keep_in or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

            def plan(stack: Stack) -> PlannedStack:
                run, file = self.terraform(stack), (folder / f"{stack.name}.tfplan").absolute()
                changes = run.plan(file, *arguments)
                return PlannedStack(stack.name, changes, run.show(file), file if keep_in else None)

            return side_by_side(plan, stacks)

    def deploy(self, stacks: Sequence[Stack], *, done: Callable[[Stack], None] | None = None) -> None:
        """Apply every stack after those it depends on, again where Google is only not ready (`KNOWN_REFUSALS`).

        `done` is called after each. Raises StepFailedError.
        """

        def apply(stack: Stack) -> None:
            patiently(self.terraform(stack).apply, partial(self._announce, stack), wait=self.wait)

        self._prepare(stacks)
        _walk(stacks, {one.name: set(one.after) for one in stacks}, apply, done)

    def destroy(self, stacks: Sequence[Stack], *, done: Callable[[Stack], None] | None = None) -> None:
        """Destroy every stack before those it depends on. Raises StepFailedError."""

        def destroy(stack: Stack) -> None:
            self.terraform(stack).destroy()

        self._prepare(stacks)
        waits = {one.name: {other.name for other in stacks if one.name in other.after} for one in stacks}
        _walk(stacks, waits, destroy, done)

    def _announce(self, stack: Stack, why: str) -> None:
        self.progress(Event(stack.name, "waiting", "", why))

    def _prepare(self, stacks: Sequence[Stack]) -> None:
        """Every folder at once: then the stacks wait for each other's applies only."""
        side_by_side(self.terraform, stacks)


def _alone(stack: Stack) -> None:
    """Raises RefusedError where Terraform would read more than the reviewed `cdk.tf.json`."""
    for entry in sorted(stack.folder.glob("*")):
        if entry.name != "cdk.tf.json" and _READ_BY_TERRAFORM.search(entry.name):
            raise RefusedError(f"{entry.name} is not synthesised", where=stack.name, hint=f"remove {entry}")


def _without_state(stack: Stack) -> Path:
    """A folder with the stack's configuration and no state: what there is to plan before the first apply."""
    config = json.loads((stack.folder / "cdk.tf.json").read_text(encoding="utf-8"))
    config["terraform"]["backend"] = {"local": {}}
    folder = stack.folder / _WITHOUT_STATE
    write_text(folder / "cdk.tf.json", json.dumps(config))
    return folder


def _walk(
    stacks: Sequence[Stack],
    waits_for: Mapping[str, set[str]],
    act: Callable[[Stack], None],
    done: Callable[[Stack], None] | None,
) -> None:
    """Act on every stack once those it waits for are finished; after a failure, start nothing more."""
    left, running = list(stacks), dict[Future[None], Stack]()
    finished, failure = set[str](), list[BaseException]()
    names = {one.name for one in stacks}
    with interruptible(), ThreadPoolExecutor(AT_ONCE) as threads, cancelling(running):
        while (left and not failure) or running:
            ready = [one for one in left if not (waits_for[one.name] & names) - finished] if not failure else []
            running |= {threads.submit(act, one): one for one in ready}
            left = [one for one in left if one not in ready]
            for one in wait(running, return_when=FIRST_COMPLETED).done:
                stack = running.pop(one)
                if (problem := one.exception()) is not None:
                    failure.append(problem)
                    continue
                finished.add(stack.name)
                if done is not None:
                    done(stack)
    if failure:
        raise failure[0]
