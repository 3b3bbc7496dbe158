"""The local registry keeps the contract."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fonderie.core.errors import BadDataError
from ml.registry import Registry, open_registry
from ml.registry.local import LocalRegistry
from tests.contract.registry.candidates import NOW, make_candidate
from tests.contract.registry.contract import RegistryContract


class TestLocalRegistry(RegistryContract):
    @pytest.fixture
    def registry(self, tmp_path: Path) -> Registry:
        return open_registry("air_time", str(tmp_path / "registry"))


def two_versions(tmp_path: Path) -> tuple[LocalRegistry, Path]:
    """v001 is champion, v002 challenger; and their folder."""
    registry = LocalRegistry(tmp_path / "registry", "air_time")
    for name in ("one", "two"):
        registry.register(make_candidate(tmp_path / name, name), tmp_path / name, who="test", now=NOW)
    registry.promote(1, None, reason="better", who="test", now=NOW)
    return registry, tmp_path / "registry" / "air_time"


@pytest.mark.parametrize("spoil", ["truncated", "gone"])
def test_a_version_whose_files_are_not_the_registered_ones_does_not_become_champion(tmp_path: Path, spoil: str) -> None:
    registry, folder = two_versions(tmp_path)
    path = folder / "v002" / "model.skops"
    path.write_bytes(path.read_bytes()[:-10]) if spoil == "truncated" else path.unlink()

    with pytest.raises(BadDataError, match=r"v002/model\.skops"):
        registry.promote(2, 1, reason="better", who="test", now=NOW)
    with pytest.raises(BadDataError, match=r"v002/model\.skops"):
        registry.rollback(2, reason="worse", who="test", now=NOW)
    assert registry.aliases().champion == 1


@pytest.mark.parametrize("spoil", ["a better metric", "no seal", "another version's record"])
def test_a_record_that_was_edited_by_hand_is_refused(tmp_path: Path, spoil: str) -> None:
    registry, folder = two_versions(tmp_path)
    path = folder / "v002" / "model_record.json"
    values = json.loads(path.read_text())
    if spoil == "a better metric":
        values["metrics"]["metric"] = 0.1
    elif spoil == "no seal":
        del values["record_sha256"]
    else:
        values = json.loads((folder / "v001" / "model_record.json").read_text())
    path.write_text(json.dumps(values))

    with pytest.raises(BadDataError, match=r"v002/model_record\.json"):
        registry.get(2)
    with pytest.raises(BadDataError, match=r"v002/model_record\.json"):
        registry.promote(2, 1, reason="better", who="test", now=NOW)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}"])
def test_one_record_that_cannot_be_read_stops_no_other(tmp_path: Path, text: str) -> None:
    registry, folder = two_versions(tmp_path)
    (folder / "v001" / "model_record.json").write_text(text)

    made = registry.register(make_candidate(tmp_path / "x", "x"), tmp_path / "x", who="test", now=NOW)

    assert made.version == 3
    assert [record.version for record in registry.list()] == [2, 3]
    (problem,) = registry.damaged()
    assert "v001/model_record.json" in str(problem)
    registry.promote(3, 1, reason="better", who="test", now=NOW)
    with pytest.raises(BadDataError, match="v001"):
        registry.rollback(reason="worse", who="test", now=NOW)
    assert registry.aliases().champion == 3


def test_the_number_of_a_deleted_version_is_not_used_again(tmp_path: Path) -> None:
    registry, folder = two_versions(tmp_path)
    shutil.rmtree(folder / "v002")

    made = registry.register(make_candidate(tmp_path / "x", "x"), tmp_path / "x", who="test", now=NOW)

    assert made.version == 3
