"""Features at serving time: a day's timetable, looked up by the definitions of training, from what is known by then.

A request names a flight; its features come from the snapshot of its day. The snapshot is the feature query of training
(`ml.features.queries.compile_sql`, compiled once) over tables in which everything a server cannot know is blank: what
became of flights that have not left or landed by its minute, every later day, every later observation of the weather.
A snapshot made in the morning is made again as departures and observations come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fonderie.core.errors import BadInputError
from ml.datasets.contracts import check_months
from ml.datasets.months import Month
from ml.datasets.parquet import read_parquet
from ml.datasets.schema import Dataset
from ml.datasets.sources import Source, source
from ml.features.catalogue import LABELS
from ml.features.lookups import OBSERVED_AT_MIN
from ml.features.queries import KEYS, compile_sql
from ml.features.tables import day_number, with_history
from ml.models import ModelConfig

Key = tuple[int | str, ...]
"""What names a flight: the values of ml.features.queries.KEYS."""


@dataclass(frozen=True)
class Snapshot:
    """The features of every flight of one day."""

    day: date
    rows: Mapping[Key, Mapping[str, Any]]

    def instance(self, key: Key) -> dict[str, Any]:
        """What the prediction server is asked about a flight. Raises BadInputError for one that is not scheduled."""
        row = self.rows.get(key)
        if row is None:
            raise BadInputError(f"no flight {'/'.join(map(str, key))} is scheduled on {self.day}")
        return dict(row)


def snapshot(config: ModelConfig, day: date, origin: Source | None = None, *, minute: int = 1439) -> Snapshot:
    """The features of a day's flights from what is known at its `minute`, on the airports' clocks.

    Raises BadDataError for a month without data or with too many rows in quarantine.
    """
    tables = known_tables(config, day, origin or source(), minute)
    rows = _features(config, tables, day).to_pylist()
    names = config.features.names
    return Snapshot(day, {tuple(row[name] for name in KEYS): {name: row[name] for name in names} for row in rows})


def _features(config: ModelConfig, tables: Mapping[Dataset, pa.Table], day: date) -> pa.Table:
    import duckdb

    with duckdb.connect() as connection:
        for dataset, table in tables.items():
            connection.register(str(dataset), table)
        relation = connection.sql(_sql(config.model_dump_json())).filter(f"day_number = {day_number(day)}")
        return relation.to_arrow_table()


@cache
def _sql(config: str) -> str:
    """Compiling takes ten times as long as asking for a day."""
    return compile_sql(ModelConfig.model_validate_json(config), "duckdb")


def known_tables(config: ModelConfig, day: date, origin: Source, minute: int) -> dict[Dataset, pa.Table]:
    """The datasets as they are known at that minute of that day."""
    month = Month(day.year, day.month)
    reports = check_months(with_history([month], origin), config.data.max_quarantined_fraction, origin)
    whole = {
        dataset: pa.concat_tables([read_parquet(report.clean) for report in reports if report.dataset is dataset])
        for dataset in Dataset
    }
    now = day_number(day) * 1440 + minute
    weather = whole[Dataset.WEATHER]
    return {
        Dataset.FLIGHTS: _without_outcomes(whole[Dataset.FLIGHTS], day, now),
        Dataset.WEATHER: weather.filter(pc.less_equal(_minutes(weather, OBSERVED_AT_MIN), now)),
        Dataset.PLANES: whole[Dataset.PLANES],
    }


def _without_outcomes(flights: pa.Table, day: date, now: int) -> pa.Table:
    """Flights up to the day; what became of those that have not left, or not landed, by minute `now` is not known."""
    flights = flights.filter(pc.less_equal(_days(flights), day_number(day)))
    left = pc.add(_minutes(flights, flights["minute"]), flights["dep_delay"])
    landed = pc.add(left, flights["air_time"])
    for label in LABELS:
        at = flights.column_names.index(label)
        known = pc.less_equal(left if label.startswith("dep") else landed, now)
        known = pc.if_else(pc.fill_null(known, False), flights[label], pa.scalar(None, flights[label].type))
        flights = flights.set_column(at, label, known)
    return flights


def _minutes(table: pa.Table, minute: Any) -> Any:
    """Minutes since 1970-01-01 of the rows' hours and `minute`, on their own clock."""
    return pc.add(pc.add(pc.multiply(_days(table), 1440), pc.multiply(table["hour"], 60)), minute)


def _days(table: pa.Table) -> Any:
    """Days since 1970-01-01."""
    text = [pc.utf8_lpad(table[name].cast(pa.string()), 2, "0") for name in ("year", "month", "day")]
    return pc.binary_join_element_wise(*text, "-").cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
