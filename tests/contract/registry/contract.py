"""What every registry must do. A test class per implementation inherits it and says how to open one."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from fonderie.core.errors import BadDataError, BadInputError, ConflictError, RefusedError
from ml.registry import Alias, ModelRecord, Registry
from tests.contract.registry.candidates import NOW, make_candidate


class RegistryContract:
    """Subclass it, define the fixture `registry` (empty, of the model air_time), and every test below runs."""

    def register(self, registry: Registry, folder: Path, name: str) -> ModelRecord:
        return registry.register(make_candidate(folder / name, name), folder / name, who="test", now=NOW)

    def promote(self, registry: Registry, version: int, expected: int | None) -> ModelRecord:
        return registry.promote(version, expected, reason="better", who="test", now=NOW)

    def test_an_empty_registry_has_no_versions_and_no_champion(self, registry: Registry) -> None:
        assert registry.list() == ()
        assert registry.aliases().current == {}
        with pytest.raises(BadInputError, match="has no champion"):
            registry.get("champion")
        with pytest.raises(BadInputError, match="has no version 1"):
            registry.get(1)

    def test_versions_count_up_and_the_latest_is_challenger(self, registry: Registry, tmp_path: Path) -> None:
        records = [self.register(registry, tmp_path, name) for name in ("one", "two", "three")]

        assert [record.version for record in records] == [1, 2, 3]
        assert registry.list() == tuple(records)
        assert registry.aliases().current == {Alias.CHALLENGER: 3}

    def test_a_version_is_found_by_number_label_and_alias(self, registry: Registry, tmp_path: Path) -> None:
        record = self.register(registry, tmp_path, "one")
        self.promote(registry, 1, None)

        found = [registry.get(reference) for reference in (1, "1", "v001", "champion")]

        assert all(version.record == record for version in found)
        assert found[0].model_path.read_bytes() == (tmp_path / "one" / "model.skops").read_bytes()

    @pytest.mark.parametrize("reference", ["best", "", "v", "-1", "../v001", "previous-champion", 0, 99])
    def test_what_is_no_version_is_said(self, registry: Registry, tmp_path: Path, reference: int | str) -> None:
        self.register(registry, tmp_path, "one")

        with pytest.raises(BadInputError):
            registry.get(reference)

    def test_the_record_keeps_what_the_candidate_said(self, registry: Registry, tmp_path: Path) -> None:
        candidate = make_candidate(tmp_path, "one")

        record = registry.register(candidate, tmp_path, who="test", now=NOW)

        assert registry.get(1).record == record
        assert {key: getattr(record, key) for key in type(candidate).model_fields} == dict(candidate)
        assert (record.version, record.registered_at) == (1, NOW)

    def test_a_version_does_not_change_with_the_folder_it_came_from(self, registry: Registry, tmp_path: Path) -> None:
        self.register(registry, tmp_path, "one")
        before = registry.get(1).model_path.read_bytes()

        (tmp_path / "one" / "model.skops").write_bytes(b"something else")

        assert registry.get(1).model_path.read_bytes() == before

    def test_the_same_candidate_twice_is_one_version(self, registry: Registry, tmp_path: Path) -> None:
        first = self.register(registry, tmp_path, "one")

        assert self.register(registry, tmp_path, "one") == first
        assert len(registry.list()) == 1

    def test_registering_the_champion_again_does_not_make_it_challenger(
        self, registry: Registry, tmp_path: Path
    ) -> None:
        self.register(registry, tmp_path, "one")
        self.promote(registry, 1, None)

        self.register(registry, tmp_path, "one")

        assert registry.aliases().current == {Alias.CHAMPION: 1}

    @pytest.mark.parametrize("spoil", ["missing", "changed"])
    def test_files_that_are_not_the_named_ones_are_refused(
        self, registry: Registry, tmp_path: Path, spoil: str
    ) -> None:
        candidate = make_candidate(tmp_path, "one")
        path = tmp_path / "reference.parquet"
        path.unlink() if spoil == "missing" else path.write_bytes(path.read_bytes()[:-1])

        with pytest.raises(BadDataError, match=r"reference\.parquet"):
            registry.register(candidate, tmp_path, who="test", now=NOW)
        assert registry.list() == ()
        assert registry.aliases().current == {}

    def test_a_candidate_of_another_model_is_refused(self, registry: Registry, tmp_path: Path) -> None:
        with pytest.raises(BadInputError, match="late_arrival"):
            registry.register(make_candidate(tmp_path, "x", model="late_arrival"), tmp_path, who="test", now=NOW)

    def test_promotion_moves_champion_and_previous_champion(self, registry: Registry, tmp_path: Path) -> None:
        for name in ("one", "two"):
            self.register(registry, tmp_path, name)

        self.promote(registry, 1, None)
        promoted = self.promote(registry, 2, 1)

        assert promoted.version == 2
        assert registry.aliases().current == {Alias.CHAMPION: 2, Alias.PREVIOUS_CHAMPION: 1}

    @pytest.mark.parametrize("expected", [None, 2, 3])
    def test_promotion_over_another_champion_than_expected_is_a_conflict(
        self, registry: Registry, tmp_path: Path, expected: int | None
    ) -> None:
        for name in ("one", "two"):
            self.register(registry, tmp_path, name)
        self.promote(registry, 1, None)

        with pytest.raises(ConflictError, match="champion is v001"):
            self.promote(registry, 2, expected)
        assert registry.aliases().at(Alias.CHAMPION) == 1

    def test_expecting_a_champion_where_there_is_none_is_a_conflict(self, registry: Registry, tmp_path: Path) -> None:
        self.register(registry, tmp_path, "one")

        with pytest.raises(ConflictError, match="champion is none"):
            self.promote(registry, 1, 1)

    def test_promoting_what_is_not_there_or_is_champion_is_refused(self, registry: Registry, tmp_path: Path) -> None:
        self.register(registry, tmp_path, "one")
        self.promote(registry, 1, None)

        with pytest.raises(BadInputError, match="no version 2"):
            self.promote(registry, 2, 1)
        with pytest.raises(BadInputError, match="is already the champion"):
            self.promote(registry, 1, 1)

    def test_rollback_returns_to_the_previous_champion_and_back(self, registry: Registry, tmp_path: Path) -> None:
        for name in ("one", "two"):
            self.register(registry, tmp_path, name)
        self.promote(registry, 1, None)
        self.promote(registry, 2, 1)

        assert registry.rollback(reason="alarm", who="on-call", now=NOW).version == 1
        assert registry.aliases().current == {Alias.CHAMPION: 1, Alias.PREVIOUS_CHAMPION: 2}
        assert registry.rollback(reason="mistake", who="on-call", now=NOW).version == 2

    def test_rollback_to_a_version_of_choice(self, registry: Registry, tmp_path: Path) -> None:
        for name in ("one", "two", "three"):
            self.register(registry, tmp_path, name)
        for version, expected in ((1, None), (2, 1), (3, 2)):
            self.promote(registry, version, expected)

        registry.rollback(1, expected_current=3, reason="alarm", who="on-call", now=NOW)

        assert registry.aliases().current == {Alias.CHAMPION: 1, Alias.PREVIOUS_CHAMPION: 3}

    def test_the_champion_of_a_moment_is_the_one_of_the_last_move_before_it(
        self, registry: Registry, tmp_path: Path
    ) -> None:
        for name in ("one", "two"):
            self.register(registry, tmp_path, name)
        self.promote(registry, 1, None)
        later = NOW + timedelta(hours=1)
        registry.promote(2, 1, reason="better", who="test", now=later)

        asked = {hours: registry.aliases().champion_at(NOW + timedelta(hours=hours)) for hours in (-1, 0, 0.5, 1, 9)}

        assert {hours: move and move.after for hours, move in asked.items()} == {-1: None, 0: 1, 0.5: 1, 1: 2, 9: 2}

    def test_rollback_says_when_it_cannot(self, registry: Registry, tmp_path: Path) -> None:
        with pytest.raises(RefusedError, match="no previous champion"):
            registry.rollback(reason="alarm", who="on-call", now=NOW)
        for name in ("one", "two"):
            self.register(registry, tmp_path, name)
        self.promote(registry, 1, None)
        with pytest.raises(BadInputError, match="no version 9"):
            registry.rollback(9, reason="alarm", who="on-call", now=NOW)
        with pytest.raises(BadInputError, match="is already the champion"):
            registry.rollback(1, reason="alarm", who="on-call", now=NOW)
        with pytest.raises(ConflictError):
            registry.rollback(2, expected_current=2, reason="alarm", who="on-call", now=NOW)
        assert registry.aliases().current == {Alias.CHAMPION: 1, Alias.CHALLENGER: 2}

    def test_every_move_is_logged_with_who_and_why(self, registry: Registry, tmp_path: Path) -> None:
        for name in ("one", "two"):
            self.register(registry, tmp_path, name)
        self.promote(registry, 1, None)
        self.promote(registry, 2, 1)
        registry.rollback(reason="alarm", who="on-call", now=NOW)

        champion = [move for move in registry.aliases().moves if move.alias is Alias.CHAMPION]

        assert [(move.before, move.after, move.who, move.reason) for move in champion] == [
            (None, 1, "test", "better"),
            (1, 2, "test", "better"),
            (2, 1, "on-call", "alarm"),
        ]
        assert all(move.at == NOW for move in champion)
