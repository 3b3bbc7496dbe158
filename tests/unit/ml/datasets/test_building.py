"""Feature files: one a month, made once for the same content, the same in whatever company."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from fonderie.core.errors import BadDataError, StepFailedError
from ml.datasets.contracts import check
from ml.datasets.months import Month
from ml.datasets.schema import Dataset
from ml.datasets.sources import Source
from ml.features.tables import build, with_history
from ml.models import load_model
from tests.flights import change, months_between
from tests.unit.ml.datasets.everything import everything


def test_a_month_alone_has_the_features_it_has_among_others(months: Source, own_home: Path) -> None:
    config, there = everything(), months.months()
    together = build(config, there, months).table().to_pandas()
    shutil.rmtree(own_home)  # nothing is taken from the cache
    alone = pd.concat([build(config, [month], months).table().to_pandas() for month in there], ignore_index=True)
    pd.testing.assert_frame_equal(alone, together)


def test_months_that_do_not_fit_into_one_query_have_the_same_features(
    months: Source, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, there = load_model("late_arrival"), months.months()
    at_once = build(config, there, months).table()
    shutil.rmtree(own_home)
    monkeypatch.setattr("ml.features.tables.MAX_ROWS", 4000)
    assert build(config, there, months).table().equals(at_once)


def test_features_are_built_once_for_the_same_bytes(months: Source) -> None:
    config, march = load_model("air_time"), Month(2013, 3)
    first = build(config, [march], months)
    stamp = first.paths[0].stat().st_mtime_ns
    again = build(config, [Month(2013, 2), march], months)
    assert again.paths[1] == first.paths[0]
    assert again.paths[1].stat().st_mtime_ns == stamp


def test_a_change_in_the_history_builds_the_month_anew_and_moves_the_data_hash(months: Source) -> None:
    config, march = load_model("late_arrival"), Month(2013, 3)
    first = build(config, [march], months)
    change(months.path(Dataset.FLIGHTS, Month(2013, 2)), lambda frame: frame.assign(arr_delay=frame["arr_delay"] + 30))
    second = build(config, [march], months)
    assert (second.data_hash != first.data_hash, second.paths != first.paths) == (True, True)
    assert second.feature_hash == first.feature_hash
    later = [table.table().to_pandas()["route_arr_delay_28d"].mean() for table in (first, second)]
    assert later[1] > later[0] + 10


def test_quarantined_rows_have_no_features(months: Source) -> None:
    march = Month(2013, 3)
    change(months.path(Dataset.FLIGHTS, march), lambda frame: frame.assign(carrier=["?"] * 7 + [*frame["carrier"][7:]]))
    held = check(Dataset.FLIGHTS, march, months).quarantined
    built = build(load_model("air_time"), [march], months)
    assert held == 7
    assert built.table().num_rows == len(pd.read_parquet(months.path(Dataset.FLIGHTS, march))) - 7


def test_too_many_quarantined_rows_stop_the_build(months: Source) -> None:
    march = Month(2013, 3)
    change(months.path(Dataset.FLIGHTS, march), lambda frame: frame.assign(distance=0))
    with pytest.raises(BadDataError, match="distance not between 10 and 12000"):
        build(load_model("air_time"), [march], months)


def test_a_clean_partition_that_vanished_is_made_again(months: Source) -> None:
    march = Month(2013, 3)
    before = check(Dataset.FLIGHTS, march, months)
    before.clean.unlink()
    assert build(load_model("air_time"), [march], months).table().num_rows == before.rows


def test_a_clean_partition_that_was_damaged_is_said_without_a_traceback(months: Source) -> None:
    march = Month(2013, 3)
    check(Dataset.FLIGHTS, march, months).clean.write_bytes(b"PAR1 and no more")
    with pytest.raises(StepFailedError, match="DuckDB could not compute the features"):
        build(load_model("air_time"), [march], months)


def test_a_month_without_weather_has_features_without_weather(months: Source) -> None:
    for month in months.months():
        months.path(Dataset.WEATHER, month).unlink()
    table = build(load_model("air_time"), [Month(2013, 2)], months).table().to_pandas()
    assert table["temp"].isna().all()
    assert table["distance"].notna().all()


def test_a_month_without_flights_in_it_builds_to_no_rows(months: Source) -> None:
    march = Month(2013, 3)
    change(months.path(Dataset.FLIGHTS, march), lambda frame: frame.iloc[:0])
    assert build(load_model("air_time"), [march], months).table().num_rows == 0


def test_history_reaches_over_a_short_february(months: Source) -> None:
    april = [Month(2013, 4)]
    assert with_history(april, months) == months_between(Month(2013, 2), Month(2013, 4))
    assert with_history([Month(2013, 1)], months) == [Month(2013, 1)]


def test_files_are_named_by_month(months: Source) -> None:
    paths: tuple[Path, ...] = build(load_model("air_time"), [Month(2013, 2)], months).paths
    assert [path.name[:7] for path in paths] == ["2013-02"]
