"""Features at serving time: a day's timetable, looked up by the definitions of training, from what is known by then.

A request names a flight; its features come from the snapshot of its day. The snapshot is the feature query of training
(`ml.features.queries.compile_sql`, compiled once) over tables in which everything a server cannot know is blank: what
became of the day's own flights, and every later flight. Weather is looked up at the scheduled hour or before it, so
that a snapshot made in the morning is made again as observations come in.
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
from ml.features.queries import KEYS, compile_sql
from ml.features.tables import day_number, with_history
from ml.models import ModelConfig

Key = tuple[int | str, ...]
"""What names a flight: the values of ml.features.queries.KEYS."""


@dataclass(frozen=True)
class Snapshot:
    """The features of every flight of one day."""

    day: date
    features: tuple[str, ...]
    rows: Mapping[Key, Mapping[str, Any]]

    def instance(self, key: Key) -> dict[str, Any]:
        """What the prediction server is asked about a flight. Raises BadInputError for one that is not scheduled."""
        row = self.rows.get(key)
        if row is None:
            raise BadInputError(f"no flight {'/'.join(map(str, key))} is scheduled on {self.day}")
        return {name: row[name] for name in self.features}


def snapshot(config: ModelConfig, day: date, origin: Source | None = None, *, hour: int = 23) -> Snapshot:
    """The features of a day's flights, with weather up to `hour` of the airports' clocks.

    Raises BadDataError for a month without data or with too many rows in quarantine.
    """
    tables = known_tables(config, day, origin or source(), hour)
    rows = _features(config, tables, day).to_pylist()
    return Snapshot(day, config.features.names, {tuple(row[name] for name in KEYS): row for row in rows})


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


def known_tables(config: ModelConfig, day: date, origin: Source, hour: int) -> dict[Dataset, pa.Table]:
    """The datasets as they are known at that hour of that day."""
    month = Month(day.year, day.month)
    reports = check_months(with_history([month], origin), config.data.max_quarantined_fraction, origin)
    whole = {
        dataset: pa.concat_tables([read_parquet(report.clean) for report in reports if report.dataset is dataset])
        for dataset in Dataset
    }
    return {
        Dataset.FLIGHTS: _without_outcomes(whole[Dataset.FLIGHTS], day),
        Dataset.WEATHER: whole[Dataset.WEATHER].filter(_until(whole[Dataset.WEATHER], day, hour)),
        Dataset.PLANES: whole[Dataset.PLANES],
    }


def _without_outcomes(flights: pa.Table, day: date) -> pa.Table:
    """Flights up to the day; what became of those of the day itself is not known."""
    flights = flights.filter(pc.less_equal(_day_codes(flights), _code(day)))
    past = pc.less(_day_codes(flights), _code(day))
    for label in LABELS:
        at = flights.column_names.index(label)
        known = pc.if_else(past, flights[label], pa.scalar(None, flights[label].type))
        flights = flights.set_column(at, label, known)
    return flights


def _until(weather: pa.Table, day: date, hour: int) -> Any:
    earlier = pc.less(_day_codes(weather), _code(day))
    today = pc.and_(pc.equal(_day_codes(weather), _code(day)), pc.less_equal(weather["hour"], hour))
    return pc.or_(earlier, today)


def _day_codes(table: pa.Table) -> Any:
    """20130401 for the first of April 2013."""
    years, months = pc.multiply(table["year"], 10_000), pc.multiply(table["month"], 100)
    return pc.add(pc.add(years, months), table["day"])


def _code(day: date) -> int:
    return day.year * 10_000 + day.month * 100 + day.day
