"""A working copy synthesised: its own code, in a process of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.lifecycle import deploy
from ci.lifecycle.deploy import Stack, stacks_in
from ci.preview.build.revisions import take_place
from fonderie.core.home import home


@dataclass(frozen=True)
class Synthesised:
    """The stacks of a working copy, in order of dependency."""

    folder: Path
    stacks: tuple[Stack, ...]

    def of(self, environment: str) -> tuple[Stack, ...]:
        """One environment's."""
        return tuple(stack for stack in self.stacks if stack.name.startswith(f"{environment}-"))

    def digest(self, environment: str) -> str:
        """Of everything that was synthesised for an environment."""
        found = hashlib.sha256()
        for stack in sorted(self.of(environment), key=lambda stack: stack.name):
            found.update(stack.name.encode() + b"\0" + (stack.folder / "cdk.tf.json").read_bytes())
        return found.hexdigest()


def synthesise(
    source: Path, environments: Sequence[str], outdir: Path, *, variables: Mapping[str, str] | None = None
) -> Synthesised:
    """Run the app of the working copy `source`, with its own models. Raises StepFailedError with what it said."""
    if not environments:
        return Synthesised(outdir, ())
    surroundings = {name: value for name, value in os.environ.items() if name != "FONDERIE_MODELS"}
    stacks = deploy.synthesise(environments, outdir, source=source, variables={**surroundings, **(variables or {})})
    return Synthesised(outdir, tuple(stacks))


def synthesised_once(source: Path, environments: Sequence[str], variables: Mapping[str, str]) -> Synthesised:
    """The same for a tree that does not change: `source` is named by its content, and its stacks are kept."""
    chosen = hashlib.sha256(repr((source.name, sorted(environments), sorted(variables.items()))).encode()).hexdigest()
    folder = home() / "cache" / "preview" / "synthesised" / chosen[:32]
    if folder.is_dir():
        os.utime(folder)
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".synthesising-", dir=folder.parent))
        try:
            synthesise(source, environments, draft / "out", variables=variables)
            take_place(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return Synthesised(folder / "out", tuple(stacks_in(folder / "out")) if environments else ())
