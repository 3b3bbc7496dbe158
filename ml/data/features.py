"""Feature tables on this machine: DuckDB over the clean partitions, one file a month, remembered by content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from fonderie.home import home
from ml.config import ModelConfig
from ml.data.contracts import ContractReport, check_months
from ml.data.months import Month
from ml.data.parquet import read_parquet, write_parquet
from ml.data.schema import SCHEMAS, Dataset
from ml.data.sources import Source, source

HISTORY_MONTHS = 2  # February and what is left of the look-back before it
EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class FeatureSet:
    """What a model is trained on, or asked about: keys, `day_number`, features, slices and `target`.

    Rows without a label (cancelled, diverted, not landed yet) have a null `target`; sorted by departure.
    """

    months: tuple[Month, ...]
    paths: tuple[Path, ...]  # one Parquet file a month
    features: tuple[str, ...]  # the model's own, in its order
    categorical: tuple[str, ...]
    feature_hash: str
    data_hash: str  # of every partition that the rows or their history are from
    reports: tuple[ContractReport, ...]

    def table(self) -> pa.Table:
        """All months, in order."""
        return pa.concat_tables([read_parquet(path) for path in self.paths])


def build(config: ModelConfig, months: Iterable[Month], origin: Source | None = None) -> FeatureSet:
    """Features of `months`, with history from the months before them. Only what was not built before is computed.

    Raises BadDataError for a month without data, a broken file or column, or too many rows in quarantine.
    """
    from ml.data.queries import feature_hash

    origin = origin or source()
    wanted = sorted(set(months))
    read = with_history(wanted, origin)
    reports = check_months(read, config.data.max_quarantined_fraction, origin)
    made = feature_hash(config)
    paths = {month: _path(config, month, made, reports, origin) for month in wanted}
    absent = [month for month in wanted if not paths[month].exists()]
    if absent:
        _compute(config, absent, with_history(absent, origin), reports, paths)
    return FeatureSet(
        tuple(wanted),
        tuple(paths.values()),
        config.features.names,
        config.features.categorical,
        made,
        origin.data_hash(read),
        tuple(reports),
    )


def with_history(months: Sequence[Month], origin: Source) -> list[Month]:
    """`months` and those before each of them that its windows reach into, as far as there is data."""
    origin.require(months)
    there = set(origin.months())
    reached = {month.shift(-back) for month in months for back in range(HISTORY_MONTHS + 1)}
    return sorted(reached & there)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - EPOCH


def _path(config: ModelConfig, month: Month, made: str, reports: list[ContractReport], origin: Source) -> Path:
    """Where the month's features are, named by everything that they are made from."""
    read = {"all", *map(str, with_history([month], origin))}
    parts = sorted(f"{r.dataset} {r.partition} {r.clean.stem}" for r in reports if r.partition in read)
    key = hashlib.sha256("\n".join([made, *parts]).encode()).hexdigest()[:16]
    return home() / "cache" / "features" / config.name / f"{month}-{key}.parquet"


def _compute(
    config: ModelConfig,
    months: list[Month],
    read: list[Month],
    reports: list[ContractReport],
    paths: dict[Month, Path],
) -> None:
    """One query over all `months`; each month's rows into its own file."""
    clean = {
        dataset: [r.clean for r in reports if r.dataset is dataset and r.partition in {"all", *map(str, read)}]
        for dataset in Dataset
    }
    first, last = (day_number(months[0].first_day), day_number(months[-1].last_day))
    table = query(config, clean, (first, last))
    days = table["day_number"].to_numpy()
    for month in months:
        start = int(days.searchsorted(day_number(month.first_day), "left"))
        stop = int(days.searchsorted(day_number(month.last_day), "right"))
        write_parquet(table.slice(start, stop - start), paths[month])


def query(config: ModelConfig, files: dict[Dataset, list[Path]], days: tuple[int, int]) -> pa.Table:
    """The model's features of these days, read from Parquet files of clean rows, sorted by departure."""
    with _duckdb() as connection:
        tables = {
            dataset: connection.read_parquet([str(path) for path in paths])
            if (paths := files[dataset])
            else connection.create_table(str(dataset), SCHEMAS[dataset].empty_table())
            for dataset in Dataset
        }
        return _run(config, tables, days)


def features_of(config: ModelConfig, tables: Mapping[Dataset, pa.Table]) -> pa.Table:
    """The model's features of flights in memory, by the same query: for serving and for tests.

    Windows look back as far as the flights given do. Sorted by departure.
    """
    with _duckdb() as connection:
        return _run(config, {name: connection.create_table(str(name), table) for name, table in tables.items()})


@contextmanager
def _duckdb() -> Iterator[Any]:
    import ibis

    connection = ibis.duckdb.connect()
    try:
        yield connection
    finally:
        connection.disconnect()


def _run(config: ModelConfig, tables: Mapping[Dataset, Any], days: tuple[int, int] | None = None) -> pa.Table:
    from ml.data.lookups import Tables
    from ml.data.queries import ORDER, feature_query

    bound = Tables(**{str(name): table for name, table in tables.items()})
    return feature_query(config, bound, days).order_by(ORDER).to_pyarrow()
