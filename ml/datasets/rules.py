"""The contracts: what a row of each dataset must hold. Limits are physical or the trade's own, not fitted to data.

They are data, so that pandera reads them on this machine (`ml.datasets.contracts`) and BigQuery there
(`fonderie.google.bigquery.breaches`): pandas and ibis write the operators and methods used here alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ml.datasets.months import Month
from ml.datasets.schema import KEYS, Dataset

CODE3 = r"^[A-Z]{3}$"
WEATHER_KEY = ("origin", "year", "month", "day", "hour")
MAX_GROUND_SPEED_MPH = 801  # the record of an airliner: Virgin Atlantic 22, 18 February 2019
MIN_GROUND_SPEED_MPH = 30


@dataclass(frozen=True)
class Cells:
    """What the cells of a column hold. `holds` takes a column, of pandas or of ibis; null is not its question."""

    says: str = ""
    holds: Callable[[Any], Any] | None = None
    pattern: str | None = None
    null: bool = False


@dataclass(frozen=True)
class Rows:
    """What holds between the columns of a row. `holds` takes a table, of pandas or of ibis; null means no."""

    says: str
    holds: Callable[[Any], Any]


@dataclass(frozen=True)
class Contract:
    """Of one dataset; every second row with the same `key` breaks it."""

    cells: Mapping[str, Cells]
    key: tuple[str, ...]
    key_says: str
    rows: tuple[Rows, ...] = field(default=())

    def reasons(self) -> list[str]:
        """What a row can break, in the order in which every reader of the contract looks."""
        said = []
        for name, cells in self.cells.items():
            said += [f"{name} is missing"] if not cells.null else []
            said += [f"{name} {cells.says}"] if cells.says else []
        return [*said, *(rule.says for rule in self.rows), self.key_says]


def contract(dataset: Dataset, month: Month | None) -> Contract:
    """The contract of the month's partition; planes have no month."""
    if month is None:
        return _planes()
    return _flights(month) if dataset is Dataset.FLIGHTS else _weather(month)


def _between(low: float, high: float, *, null: bool = False) -> Cells:
    return Cells(f"not between {low:g} and {high:g}", lambda column: column.between(low, high), null=null)


def _clock(*, null: bool = False) -> Cells:
    """Local time as HHMM, 2400 included."""
    return Cells(
        "no time of day written HHMM",
        lambda time: (time >= 0) & (time <= 2400) & (time % 100 < 60),
        null=null,
    )


def _calendar(month: Month) -> dict[str, Cells]:
    return {
        "year": Cells(f"not {month.year}", lambda column: column == month.year),
        "month": Cells(f"not {month.month}", lambda column: column == month.month),
        "day": _between(1, month.days),
        "hour": _between(0, 23),
    }


_AIRPORT = Cells("no airport's three letters", pattern=CODE3)
_PRESENT, _ANY = Cells(), Cells(null=True)


def _flights(month: Month) -> Contract:
    cells = _calendar(month) | {
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
        "carrier": Cells("no airline's two letters", pattern=r"^[A-Z0-9]{2}$"),
        "origin": _AIRPORT,
        "dest": _AIRPORT,
        "tailnum": _ANY,
        "time_hour": _PRESENT,
    }
    rows = (
        Rows("hour and minute are not those of sched_dep_time", _agreeing_clock),
        Rows("air_time does not go with distance", _flown_at_a_plane_s_speed),
        Rows("landed without having departed", _landed_only_if_departed),
    )
    return Contract(cells, KEYS, "a second row of the same flight", rows)


def _agreeing_clock(flights: Any) -> Any:
    return flights["hour"] * 100 + flights["minute"] == flights["sched_dep_time"]


def _flown_at_a_plane_s_speed(flights: Any) -> Any:
    speed = flights["distance"] / (flights["air_time"] / 60)
    return speed.between(MIN_GROUND_SPEED_MPH, MAX_GROUND_SPEED_MPH) | speed.isnull()


def _landed_only_if_departed(flights: Any) -> Any:
    landed = flights["air_time"].notnull() | flights["arr_delay"].notnull()
    return ~landed | (flights["dep_time"].notnull() & flights["dep_delay"].notnull())


def _weather(month: Month) -> Contract:
    cells = _calendar(month) | {
        "origin": _AIRPORT,
        "temp": _between(-80, 135, null=True),
        "dewp": _between(-110, 100, null=True),
        "humid": _between(0, 105, null=True),
        "wind_dir": _between(0, 360, null=True),
        "wind_speed": _between(0, 200, null=True),
        "wind_gust": _between(0, 260, null=True),
        "precip": _between(0, 15, null=True),
        "pressure": _between(850, 1090, null=True),
        "visib": _between(0, 200, null=True),
        "time_hour": _PRESENT,
    }
    return Contract(cells, WEATHER_KEY, "a second observation of the same hour")


def _planes() -> Contract:
    cells = {
        "tailnum": _PRESENT,
        "year": _between(1903, 2999, null=True),
        "engines": _between(0, 12, null=True),
        "seats": _between(1, 1000, null=True),
        "engine": _ANY,
        "as_of_year": _between(0, 2999),
    }
    return Contract(cells, ("tailnum", "as_of_year"), "a second row of the same plane")
