"""A Git host with this working copy on it, and a project that a person has deployed once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest

from tests.road.flows import TOKEN, Walked, walked_through
from tests.road.git_host import GitHost, Token, serving
from tests.road.machine import ROOT, listed_files
from tests.road.project import Project, copied, deploy, opened

REPOSITORY = "acme/fonderie"
MAY = {"contents": "read", "pull-requests": "write", "statuses": "write", "metadata": "read"}
"""What the token may do that a person stores for the builds."""


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GitHost]:
    """The Git host. `@pytest.mark.parametrize("host", ["private"], indirect=True)` for a private repository."""
    private = getattr(request, "param", "public") == "private"
    with serving(GitHost(tmp_path / "host", REPOSITORY, private=private)) as up:
        up.create(ROOT, listed_files())
        yield up


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Walked]:
    """What the flows of an environment demanded, walked once for all workers."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def walked(name: str) -> Walked:
        folder = shared / f"walked-{name}"
        with filelock.FileLock(f"{folder}.lock"):
            return walked_through(name, folder)

    return walked


@pytest.fixture(scope="session")
def deployed_dev(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as a person's first deploy leaves it, made once for all workers. Its secrets hold TOKEN."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "road-dev"
    with filelock.FileLock(f"{folder}.lock"):
        if not (folder / "deployed").is_file():
            folder.mkdir(exist_ok=True)
            with opened("dev", folder) as project:
                deploy(project, folder, TOKEN)
            (folder / "deployed").touch()
    return folder


@pytest.fixture
def dev(deployed_dev: Path, host: GitHost, tmp_path: Path) -> Iterator[Project]:
    """That project, this test's own."""
    host.tokens[TOKEN] = Token(REPOSITORY, MAY, bot=False)
    with opened("dev", copied(deployed_dev, tmp_path / "dev")) as project:
        yield project
