"""Deploy, plan and destroy the stacks of environments with Terraform directly: in their order, side by side where none
waits for another.

`plan_all` is what previews use: stacks never read each other's state, so all plans are taken at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError, StepFailedError
from fonderie.terraform import runner
from fonderie.terraform.runner import Progress, Terraform, silent

_AT_ONCE = 6


@dataclass(frozen=True)
class Stack:
    """A synthesised stack: its folder, and the stacks that must be there before it."""

    name: str
    folder: Path
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planned:
    """The plan of one stack: Terraform's plan JSON, and the plan file when one was to be kept."""

    stack: str
    changes: bool
    plan: Mapping[str, Any]
    file: Path | None = None


def synthesise(
    environments: Sequence[str], outdir: Path, *, environment: Mapping[str, str] | None = None
) -> list[Stack]:
    """Write the stacks of these environments into `outdir`, and return them. Raises StepFailedError."""
    done = subprocess.run(
        [sys.executable, "-m", "ci.synth", "--env", ",".join(environments)],
        env={**(environment or os.environ), "CDKTF_OUTDIR": str(outdir)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().split("\n")
        raise StepFailedError(
            f"the synthesis failed: {lines[-1].removeprefix('error: ')}", where=", ".join(environments)
        )
    return stacks_in(outdir)


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


@dataclass(frozen=True)
class Deployer:
    """Terraform over several stacks. `environment` is that of the commands: the sandbox's, or the process's own."""

    environment: Mapping[str, str]
    progress: Progress = silent
    _ready: set[Path] = field(default_factory=set)

    def terraform(self, stack: Stack) -> Terraform:
        """Terraform for one stack, its folder prepared. Raises MissingToolError when it is not there or too old."""
        run = Terraform(runner.find(self.environment), stack.folder, stack.name, self.environment, self.progress)
        if stack.folder not in self._ready:
            run.init()
            self._ready.add(stack.folder)
        return run

    def plan_all(
        self,
        stacks: Sequence[Stack],
        *,
        keep_in: Path | None = None,
        refresh: bool = True,
        destroy: bool = False,
    ) -> list[Planned]:
        """Plan every stack, all at once; in the order of `stacks`. `keep_in` keeps the plan files (they hold secrets).

        Raises StepFailedError for the first stack whose plan fails.
        """
        arguments = [*([] if refresh else ["-refresh=false"]), *(["-destroy"] if destroy else [])]
        with tempfile.TemporaryDirectory(prefix="fonderie-plans-") as temporary:
            folder = keep_in or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

            def plan(stack: Stack) -> Planned:
                run, file = self.terraform(stack), (folder / f"{stack.name}.tfplan").absolute()
                changes = run.plan(file, *arguments)
                return Planned(stack.name, changes, run.show(file), file if keep_in else None)

            with ThreadPoolExecutor(_AT_ONCE) as threads:
                return list(threads.map(plan, stacks))

    def deploy(self, stacks: Sequence[Stack], *, done: Callable[[Stack], None] | None = None) -> None:
        """Apply every stack after those it depends on. `done` is called after each. Raises StepFailedError."""

        def apply(stack: Stack) -> None:
            self.terraform(stack).apply()

        self._prepare(stacks)
        _walk(stacks, {one.name: set(one.after) for one in stacks}, apply, done)

    def destroy(self, stacks: Sequence[Stack], *, done: Callable[[Stack], None] | None = None) -> None:
        """Destroy every stack before those it depends on. Raises StepFailedError."""

        def destroy(stack: Stack) -> None:
            self.terraform(stack).destroy()

        self._prepare(stacks)
        waits = {one.name: {other.name for other in stacks if one.name in other.after} for one in stacks}
        _walk(stacks, waits, destroy, done)

    def _prepare(self, stacks: Sequence[Stack]) -> None:
        """Every folder at once: then the stacks wait for each other's applies only."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            list(threads.map(self.terraform, stacks))


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
    with ThreadPoolExecutor(_AT_ONCE) as threads:
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
