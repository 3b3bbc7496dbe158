from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fonderie.core.errors import BadDataError, StepFailedError
from ml.datasets.contracts import check, check_months
from ml.datasets.months import Month
from ml.datasets.schema import FLIGHTS, Dataset
from ml.datasets.sources import Source
from tests.flights import change

APRIL = Month(2013, 4)


def set_in(rows: int, **values: object):
    """A change of the first `rows` rows."""

    def how(frame: pd.DataFrame) -> pd.DataFrame:
        for column, value in values.items():
            if isinstance(value, float):
                frame[column] = frame[column].astype(float)
            frame.loc[frame.index[:rows], column] = value
        return frame

    return how


def test_clean_months_pass_whole(months: Source) -> None:
    reports = check_months([APRIL], 0.0, months)
    assert [(report.dataset, report.quarantined) for report in reports] == [
        (Dataset.FLIGHTS, 0),
        (Dataset.WEATHER, 0),
        (Dataset.PLANES, 0),
    ]
    assert all(report.quarantine is None for report in reports)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"month": 5}, "month not 4"),
        ({"day": 31}, "day not between 1 and 30"),
        ({"sched_arr_time": 1275.0}, "sched_arr_time no time of day written HHMM"),
        ({"dep_time": 2460.0}, "dep_time no time of day written HHMM"),
        ({"dep_delay": 9999.0}, "dep_delay not between -180 and 2880"),
        ({"air_time": 2.0}, "air_time not between 5 and 1200"),
        ({"air_time": float("inf")}, "air_time not between 5 and 1200"),
        ({"distance": -1.0}, "distance not between 10 and 12000"),
        ({"carrier": "ua"}, "carrier no airline's two letters"),
        ({"carrier": None}, "carrier is missing"),
        ({"origin": "Newark"}, "origin no airport's three letters"),
        ({"sched_dep_time": float("nan")}, "sched_dep_time is missing"),
        ({"minute": 60}, "minute not between 0 and 59"),
        ({"hour": 25}, "hour and minute are not those of sched_dep_time"),
        ({"distance": 11_000.0}, "air_time does not go with distance"),
        ({"dep_time": float("nan"), "dep_delay": float("nan"), "air_time": 90.0}, "landed without having departed"),
    ],
)
def test_a_broken_row_is_in_quarantine_with_its_reason_and_not_among_the_clean(
    months: Source, values: dict[str, object], reason: str
) -> None:
    path = months.path(Dataset.FLIGHTS, APRIL)
    rows = len(pd.read_parquet(path))
    change(path, set_in(3, **values))
    report = check(Dataset.FLIGHTS, APRIL, months)
    assert report.reasons[reason] == 3
    assert report.quarantined == 3
    kept, held = pd.read_parquet(report.clean), pd.read_parquet(report.quarantine)
    assert (len(kept), len(held)) == (rows - 3, 3)
    assert all(reason in reasons for reasons in held["reasons"])


def test_one_row_can_have_several_reasons(months: Source) -> None:
    change(months.path(Dataset.FLIGHTS, APRIL), set_in(1, carrier="?", dest="X", air_time=0.5))
    report = check(Dataset.FLIGHTS, APRIL, months)
    assert report.quarantined == 1
    assert sum(report.reasons.values()) == 3 + 1  # and half a minute is no time for the distance


def test_the_second_row_of_a_flight_is_the_one_that_goes(months: Source) -> None:
    path = months.path(Dataset.FLIGHTS, APRIL)
    change(path, lambda frame: pd.concat([frame, frame.iloc[:5].assign(air_time=99.0)], ignore_index=True))
    report = check(Dataset.FLIGHTS, APRIL, months)
    assert report.reasons["a second row of the same flight"] == 5
    assert not (pd.read_parquet(report.clean)["air_time"].iloc[:5] == 99.0).all()


def test_too_many_broken_rows_stop_the_run_with_the_counts(months: Source) -> None:
    change(months.path(Dataset.FLIGHTS, APRIL), set_in(100, distance=0.0))
    check_months([APRIL], 0.06, months)
    with pytest.raises(BadDataError) as error:
        check_months([APRIL], 0.05, months)
    assert "100 of 1800 rows" in error.value.what
    assert "distance not between 10 and 12000: 100" in error.value.what
    assert "quarantine" in (error.value.hint or "")


def test_weather_and_planes_have_contracts_too(months: Source) -> None:
    change(months.path(Dataset.WEATHER, APRIL), set_in(2, wind_speed=1048.0))
    change(months.path(Dataset.PLANES), set_in(1, seats=0))
    found = {report.dataset: report.reasons for report in check_months([APRIL], 0.1, months)}
    assert found[Dataset.WEATHER] == {"wind_speed not between 0 and 200": 2}
    assert found[Dataset.PLANES] == {"seats not between 1 and 1000": 1}


@pytest.mark.parametrize("column", FLIGHTS.names)
def test_a_missing_column_is_an_error_that_names_it(months: Source, column: str) -> None:
    change(months.path(Dataset.FLIGHTS, APRIL), lambda frame: frame.drop(columns=column))
    with pytest.raises(BadDataError, match=f"columns missing: {column}"):
        check(Dataset.FLIGHTS, APRIL, months)


def test_a_renamed_column_is_answered_with_its_near_miss(months: Source) -> None:
    change(months.path(Dataset.FLIGHTS, APRIL), lambda frame: frame.rename(columns={"air_time": "airtime"}))
    with pytest.raises(BadDataError) as error:
        check(Dataset.FLIGHTS, APRIL, months)
    assert error.value.hint == "did you mean airtime?"


@pytest.mark.parametrize(
    ("column", "value"),
    [("distance", "far"), ("carrier", 7), ("air_time", True), ("time_hour", 7), ("flight", 1.5), ("day", "first")],
)
def test_a_mistyped_column_is_an_error_that_names_it(months: Source, column: str, value: object) -> None:
    change(months.path(Dataset.FLIGHTS, APRIL), lambda frame: frame.assign(**{column: value}))
    with pytest.raises(BadDataError, match=f"columns of the wrong type: {column} is"):
        check(Dataset.FLIGHTS, APRIL, months)


def test_what_other_writers_do_with_types_and_nulls_is_read_the_same(months: Source) -> None:
    path = months.path(Dataset.FLIGHTS, APRIL)
    before = pd.read_parquet(check(Dataset.FLIGHTS, APRIL, months).clean)

    def rewritten(frame: pd.DataFrame) -> pd.DataFrame:
        air_time = frame["air_time"].map(lambda minutes: "NA" if np.isnan(minutes) else f"{minutes:g}").astype(object)
        time_hour = frame["time_hour"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
        year = frame["year"].astype("int16").astype(float)
        return frame.assign(
            air_time=air_time, time_hour=time_hour, year=year, carrier=frame["carrier"].astype("category"), comment="x"
        )

    change(path, rewritten)
    after = pd.read_parquet(check(Dataset.FLIGHTS, APRIL, months).clean)
    pd.testing.assert_frame_equal(after, before)


def test_nan_is_read_as_null(months: Source) -> None:
    path = months.path(Dataset.FLIGHTS, APRIL)
    table = pq.read_table(path)
    minutes = pa.array([float("nan")] * len(table), pa.float64(), from_pandas=False)
    pq.write_table(table.set_column(table.column_names.index("air_time"), "air_time", minutes), path)
    report = check(Dataset.FLIGHTS, APRIL, months)
    assert pq.read_table(report.clean)["air_time"].null_count == report.rows - report.quarantined > 0


@pytest.mark.parametrize("column", ["carrier", "air_time", "tailnum"])
def test_a_column_of_nulls_is_judged_row_by_row(months: Source, column: str) -> None:
    change(months.path(Dataset.FLIGHTS, APRIL), lambda frame: frame.assign(**{column: None}))
    report = check(Dataset.FLIGHTS, APRIL, months)
    assert report.quarantined == (report.rows if column == "carrier" else 0)
    if column == "air_time":
        assert pq.read_table(report.clean)["air_time"].null_count == report.rows


def test_a_month_without_rows_is_checked_and_empty(months: Source) -> None:
    change(months.path(Dataset.FLIGHTS, APRIL), lambda frame: frame.iloc[:0])
    report = check(Dataset.FLIGHTS, APRIL, months)
    assert (report.rows, report.quarantined, report.quarantined_fraction) == (0, 0, 0.0)


@pytest.mark.parametrize("keep", [0, 10, 1000, -1])
def test_a_truncated_file_is_named(months: Source, keep: int) -> None:
    path = months.path(Dataset.FLIGHTS, APRIL)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadDataError, match="cannot be read as Parquet") as error:
        check(Dataset.FLIGHTS, APRIL, months)
    assert error.value.where == str(path)


def test_a_changed_partition_is_checked_again_and_an_equal_one_is_not(months: Source, own_home: Path) -> None:
    first = check(Dataset.FLIGHTS, APRIL, months)
    stamp = first.clean.stat().st_mtime_ns
    assert check(Dataset.FLIGHTS, APRIL, months).clean.stat().st_mtime_ns == stamp
    change(months.path(Dataset.FLIGHTS, APRIL), set_in(1, carrier="?"))
    assert check(Dataset.FLIGHTS, APRIL, months).clean != first.clean


def test_a_disk_that_is_full_is_said_and_leaves_nothing(months: Source, own_home: Path, limit_file_size) -> None:
    with limit_file_size(1000), pytest.raises(StepFailedError, match="disk is full"):
        check(Dataset.FLIGHTS, APRIL, months)
    assert [path for path in own_home.rglob("*") if path.is_file()] == []
    assert check(Dataset.FLIGHTS, APRIL, months).quarantined == 0
