"""One synth of every environment a test session: Node starts once, the stacks are read from what it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.settings import environment_names, load_environment

Synthesised = dict[str, dict[str, Any]]


def stacks_of(outdir: Path) -> Synthesised:
    """Stack id -> its JSON, in the order of the manifest."""
    manifest = json.loads((outdir / "manifest.json").read_text())
    return {
        name: json.loads((outdir / stack["synthesizedStackPath"]).read_text())
        for name, stack in manifest["stacks"].items()
    }


@pytest.fixture(scope="session")
def outdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ci.synth import synthesise  # seconds, which tests without stacks do not wait for

    folder = tmp_path_factory.mktemp("synth")
    synthesise([load_environment(name) for name in environment_names()], folder)
    return folder


@pytest.fixture(scope="session")
def stacks(outdir: Path) -> Synthesised:
    return stacks_of(outdir)
