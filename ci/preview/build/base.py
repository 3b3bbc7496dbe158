"""Base, deployed in the sandbox: once for each content, then copied."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ci.lifecycle.deploy import Deployer, Stack
from ci.preview.build.revisions import take_place
from ci.preview.build.synthesis import Synthesised
from fonderie.core.files import write_text
from fonderie.core.home import home
from fonderie.sandbox.runner import Options, StandIn, stand_in
from fonderie.terraform.configuration import read_configuration

_SANDBOX = Path(__file__).parents[3] / "fonderie" / "sandbox"


@functools.cache
def _sandbox_version() -> str:
    """Of the sandbox's code and facts: a deployment of another version is not ours to use."""
    found = hashlib.sha256()
    for path in sorted([*_SANDBOX.rglob("*.py"), *_SANDBOX.rglob("*.json")]):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def deployed(base: Synthesised, environment: str) -> Path:
    """A folder with the cloud and the states after base's stacks were deployed: from the cache, or made and kept.

    Raises StepFailedError when base does not deploy; then nothing is kept.
    """
    key = hashlib.sha256(f"{_sandbox_version()} {base.digest(environment)}".encode()).hexdigest()[:32]
    kept = home() / "cache" / "preview" / "deployed" / key
    if kept.is_dir():
        os.utime(kept)
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".deploying-", dir=kept.parent))
    try:
        with in_sandbox(draft, base.of(environment)) as (up, stacks):
            Deployer(up.environment).deploy(stacks)
        shutil.rmtree(draft / "out")
        take_place(draft, kept)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return kept


@contextmanager
def in_sandbox(work: Path, stacks: tuple[Stack, ...]) -> Iterator[tuple[StandIn, list[Stack]]]:
    """A stand-in over `work`'s cloud, and the stacks copied with their states in `work`."""
    copied = []
    for stack in stacks:
        folder = work / "out" / "stacks" / stack.name
        folder.mkdir(parents=True, exist_ok=True)
        configuration = read_configuration(stack.folder)
        configuration["terraform"] = {
            **configuration.get("terraform", {}),
            "backend": {"local": {"path": str((work / "state" / f"{stack.name}.tfstate").absolute())}},
        }
        write_text(folder / "cdk.tf.json", json.dumps(configuration))
        copied.append(Stack(stack.name, folder, stack.after))
    with stand_in(Options(cloud=work / "cloud.sqlite", established=True)) as up:
        yield up, copied
