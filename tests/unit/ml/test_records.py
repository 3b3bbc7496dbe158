"""Records keep a format version: those from before there was one are read, those of a later release are refused."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fonderie.core.errors import BadDataError
from ml.evaluation.decision import unreadable
from ml.monitoring.history import History
from ml.monitoring.trigger import Action
from ml.records import FORMAT_VERSION, NewerFormatError
from ml.registry import Alias
from ml.registry.local import LocalRegistry
from tests.contract.registry.candidates import make_candidate

WRITTEN_BEFORE = Path(__file__).parents[2] / "data/registry_v1"
"""A registry and its monitoring, written before there was a format version (the models' own files are left out)."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(WRITTEN_BEFORE, tmp_path / "written")


def set_version(path: Path, version: int) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "format_version": version}))


def test_a_registry_without_format_versions_is_read(folder: Path) -> None:
    assert not any("format_version" in path.read_text() for path in folder.rglob("*.json"))
    registry = LocalRegistry(folder / "registry", "small")

    assert [(record.label, record.format_version) for record in registry.list()] == [("v001", 1), ("v002", 1)]
    assert registry.get("champion").record.decision.format_version == 1
    assert registry.aliases().current == {Alias.CHAMPION: 2, Alias.PREVIOUS_CHAMPION: 1}


def test_a_monitoring_history_without_format_versions_is_read(folder: Path) -> None:
    history = History.of("small", str(folder / "monitoring"))

    assert [(seen.month, seen.version, seen.format_version) for seen in history.verdicts()] == [
        ("2013-02", 1, 1),
        ("2013-03", 2, 1),
    ]
    assert {decision.action for decision in history.decisions()} == {Action.WAIT}


def test_the_same_decision_is_one_file_whoever_wrote_it_first(folder: Path) -> None:
    history = History.of("small", str(folder / "monitoring"))
    before = sorted(folder.rglob("decisions/*.json"))
    for decision in history.decisions():
        history.record_decision(decision)
    assert sorted(folder.rglob("decisions/*.json")) == before


def test_what_is_written_now_carries_the_version(folder: Path, tmp_path: Path) -> None:
    registry, now = LocalRegistry(folder / "registry", "small"), datetime(2026, 1, 1, tzinfo=UTC)
    made = registry.register(make_candidate(tmp_path / "x", "x", model="small"), tmp_path / "x", who="tester", now=now)

    record = folder / "registry/small" / made.label / "model_record.json"
    assert json.loads(record.read_text())["format_version"] == FORMAT_VERSION
    assert json.loads((folder / "registry/small/aliases.json").read_text())["format_version"] == FORMAT_VERSION
    assert json.loads(unreadable("no score").model_dump_json())["format_version"] == FORMAT_VERSION


@pytest.mark.parametrize("file", ["registry/small/aliases.json", "registry/small/v002/model_record.json"])
def test_a_registry_of_a_later_release_is_refused(folder: Path, file: str) -> None:
    set_version(folder / file, FORMAT_VERSION + 1)
    with pytest.raises(NewerFormatError, match="format_version 3 is newer than 2, the latest that this") as error:
        LocalRegistry(folder / "registry", "small").get("champion")
    assert error.value.where == str(folder / file)
    assert error.value.hint == "use the release that wrote it, or a later one"


@pytest.mark.parametrize("kind", ["verdicts", "decisions"])
def test_a_monitoring_history_of_a_later_release_is_refused(folder: Path, kind: str) -> None:
    history = History.of("small", str(folder / "monitoring"))
    for path in (folder / "monitoring" / "small" / kind).glob("*.json"):
        set_version(path, FORMAT_VERSION + 1)
    with pytest.raises(NewerFormatError, match="format_version 3 is newer than 2"):
        getattr(history, kind)()


def test_a_version_that_is_none_is_a_damaged_record(folder: Path) -> None:
    set_version(folder / "registry/small/v001/model_record.json", 0)
    registry = LocalRegistry(folder / "registry", "small")
    with pytest.raises(BadDataError, match="not the record of a version"):
        registry.get(1)
    assert [record.version for record in registry.list()] == [2]
    assert "not the record of a version" in str(registry.damaged()[0])
