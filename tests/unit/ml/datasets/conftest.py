from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ml.datasets.months import Month
from ml.datasets.sources import Source
from tests.flights import months_between, write_months


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FONDERIE_DATA", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invented months 2013-01 to 2013-04: nobody changes these."""
    return write_months(tmp_path_factory.mktemp("invented"), months_between(Month(2013, 1), Month(2013, 4)))


@pytest.fixture
def folder(invented: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the invented months that a test may change."""
    monkeypatch.setenv("FONDERIE_DATA", str(tmp_path / "months"))
    return Path(shutil.copytree(invented, tmp_path / "months"))


@pytest.fixture
def months(folder: Path) -> Source:
    return Source(folder)


@pytest.fixture
def limit_file_size():
    """Writing more than so many bytes into a file fails, as on a disk without room."""

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limited
