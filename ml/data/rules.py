"""The contracts: what a row of each dataset must hold. Limits are physical or the trade's own, not fitted to data."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandera.pandas as pa

from ml.data.months import Month
from ml.data.schema import KEYS, Dataset

CODE3 = r"^[A-Z]{3}$"
WEATHER_KEY = ["origin", "year", "month", "day", "hour"]
MAX_GROUND_SPEED_MPH = 801  # the record of an airliner: Virgin Atlantic 22, 18 February 2019
MIN_GROUND_SPEED_MPH = 30


def contract(dataset: Dataset, month: Month | None) -> pa.DataFrameSchema:
    """The contract of one partition, for the table as pandas (null is NaN)."""
    match dataset:
        case Dataset.FLIGHTS:
            return _flights(month)
        case Dataset.WEATHER:
            return _weather(month)
        case _:
            return _planes()


def _between(low: float, high: float, *, null: bool = False) -> pa.Column:
    return pa.Column(nullable=null, checks=pa.Check.in_range(low, high, error=f"not between {low:g} and {high:g}"))


def _text(pattern: str, says: str) -> pa.Column:
    return pa.Column(nullable=False, checks=pa.Check.str_matches(pattern, error=says))


def _any() -> pa.Column:
    return pa.Column(nullable=True)


def _clock(*, null: bool = False) -> pa.Column:
    """Local time as HHMM, 2400 included."""
    return pa.Column(
        nullable=null,
        checks=pa.Check(
            lambda time: (time >= 0) & (time <= 2400) & (time % 100 < 60), error="no time of day written HHMM"
        ),
    )


def _calendar(month: Month | None) -> dict[str, pa.Column]:
    if month is None:
        return {}
    return {
        "year": pa.Column(checks=pa.Check.eq(month.year, error=f"not {month.year}")),
        "month": pa.Column(checks=pa.Check.eq(month.month, error=f"not {month.month}")),
        "day": _between(1, month.days),
        "hour": _between(0, 23),
    }


def _flights(month: Month | None) -> pa.DataFrameSchema:
    columns = _calendar(month) | {
        "minute": _between(0, 59),
        "sched_dep_time": _clock(),
        "sched_arr_time": _clock(),
        "dep_time": _clock(null=True),
        "arr_time": _clock(null=True),
        "dep_delay": _between(-180, 2880, null=True),
        "arr_delay": _between(-240, 2880, null=True),
        "air_time": _between(5, 1200, null=True),
        "distance": _between(10, 12_000),
        "flight": _between(1, 99_999),
        "carrier": _text(r"^[A-Z0-9]{2}$", "no airline's two letters"),
        "origin": _text(CODE3, "no airport's three letters"),
        "dest": _text(CODE3, "no airport's three letters"),
        "tailnum": _any(),
        "time_hour": pa.Column(nullable=False),
    }
    return pa.DataFrameSchema(
        columns,
        checks=[
            pa.Check(_agreeing_clock, error="hour and minute are not those of sched_dep_time"),
            pa.Check(_flown_at_a_plane_s_speed, error="air_time does not go with distance"),
            pa.Check(_landed_only_if_departed, error="landed without having departed"),
            pa.Check(lambda flights: ~flights.duplicated(list(KEYS)), error="a second row of the same flight"),
        ],
    )


def _agreeing_clock(flights: pd.DataFrame) -> Any:
    return flights["hour"] * 100 + flights["minute"] == flights["sched_dep_time"]


def _flown_at_a_plane_s_speed(flights: pd.DataFrame) -> Any:
    speed = flights["distance"] / (flights["air_time"] / 60)
    return speed.between(MIN_GROUND_SPEED_MPH, MAX_GROUND_SPEED_MPH) | speed.isna()


def _landed_only_if_departed(flights: pd.DataFrame) -> Any:
    landed = flights["air_time"].notna() | flights["arr_delay"].notna()
    return ~landed | (flights["dep_time"].notna() & flights["dep_delay"].notna())


def _weather(month: Month | None) -> pa.DataFrameSchema:
    columns = _calendar(month) | {
        "origin": _text(CODE3, "no airport's three letters"),
        "temp": _between(-80, 135, null=True),
        "dewp": _between(-110, 100, null=True),
        "humid": _between(0, 105, null=True),
        "wind_dir": _between(0, 360, null=True),
        "wind_speed": _between(0, 200, null=True),
        "wind_gust": _between(0, 260, null=True),
        "precip": _between(0, 15, null=True),
        "pressure": _between(850, 1090, null=True),
        "visib": _between(0, 200, null=True),
        "time_hour": pa.Column(nullable=False),
    }
    return pa.DataFrameSchema(
        columns,
        checks=pa.Check(
            lambda weather: ~weather.duplicated(WEATHER_KEY), error="a second observation of the same hour"
        ),
    )


def _planes() -> pa.DataFrameSchema:
    columns = {
        "tailnum": pa.Column(nullable=False),
        "year": _between(1903, 2999, null=True),
        "engines": _between(0, 12, null=True),
        "seats": _between(1, 1000, null=True),
        "engine": _any(),
        "as_of_year": _between(0, 2999),
    }
    return pa.DataFrameSchema(
        columns,
        checks=pa.Check(
            lambda planes: ~planes.duplicated(["tailnum", "as_of_year"]), error="a second row of the same plane"
        ),
    )
