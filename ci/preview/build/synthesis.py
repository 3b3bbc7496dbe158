"""A working copy synthesised: its own code, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.lifecycle import deploy
from ci.lifecycle.deploy import Stack, stacks_in
from ci.preview.build.revisions import take_place
from ci.preview.build.surroundings import harmless
from fonderie.core.files import write_text
from fonderie.core.home import home
from fonderie.terraform.configuration import read_configuration


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


def synthesise(source: Path, environments: Sequence[str], outdir: Path) -> Synthesised:
    """Run the app of the working copy `source`, with its own models. Raises StepFailedError with what it said."""
    if not environments:
        return Synthesised(outdir, ())
    stacks = deploy.synthesise(environments, outdir, source=source, variables=harmless())
    return Synthesised(outdir, tuple(stacks))


def synthesised_once(source: Path, environments: Sequence[str]) -> Synthesised:
    """The same for a tree that does not change: `source` is named by its content, and its stacks are kept."""
    backend = os.environ.get("FONDERIE_BACKEND", "")
    chosen = hashlib.sha256(repr((source.name, sorted(environments), backend)).encode()).hexdigest()
    folder = home() / "cache" / "preview" / "synthesised" / chosen[:32]
    if folder.is_dir():
        os.utime(folder)
    else:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".synthesising-", dir=folder.parent))
        try:
            synthesise(source, environments, draft / "out")
            take_place(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return Synthesised(folder / "out", tuple(stacks_in(folder / "out")) if environments else ())


def emptied(base: Synthesised, left: Collection[str], environment: str, outdir: Path) -> tuple[Stack, ...]:
    """Base's stacks that are not among `left` any more, the last first: with their state and no resources.

    Terraform destroys what is in a state and not in the configuration, so they are planned like any other stack.
    """
    gone = []
    for stack in reversed([stack for stack in base.of(environment) if stack.name not in left]):
        configuration = read_configuration(stack.folder)
        kept = {name: configuration[name] for name in ("terraform", "provider") if name in configuration}
        folder = outdir / "emptied" / stack.name
        write_text(folder / "cdk.tf.json", json.dumps(kept))
        gone.append(Stack(stack.name, folder))
    return tuple(gone)
