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

from fonderie.core.errors import StepFailedError
from fonderie.core.home import home
from ml.datasets.contracts import CheckedFile, ContractReport, check_months
from ml.datasets.months import Calendar, Month
from ml.datasets.parquet import read_parquet, write_parquet
from ml.datasets.schema import SCHEMAS, Dataset
from ml.datasets.sources import Source, source
from ml.models import ModelConfig

HISTORY_MONTHS = 2  # February and what is left of the look-back before it
MAX_ROWS = 3_000_000  # about 3 GB while a query runs
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
    from ml.features.queries import feature_hash

    origin = origin or source()
    wanted = sorted(set(months))
    read = with_history(wanted, origin)
    reports = check_months(read, config.data.max_quarantined_fraction, origin)
    made = feature_hash(config)
    inputs = _Inputs(origin, reports)
    paths = {month: inputs.path(config, month, made) for month in wanted}
    for batch in batches([month for month in wanted if not paths[month].exists()], inputs.rows):
        _compute(config, batch, paths, inputs)
    return FeatureSet(
        tuple(wanted),
        tuple(paths.values()),
        config.features.names,
        config.features.categorical,
        made,
        origin.data_hash(read),
        tuple(reports),
    )


def with_history(months: Sequence[Month], origin: Calendar) -> list[Month]:
    """`months` and those before each of them that its windows reach into, as far as there is data."""
    origin.require(months)
    there = set(origin.months())
    reached = {month.shift(-back) for month in months for back in range(HISTORY_MONTHS + 1)}
    return sorted(reached & there)


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - EPOCH


@dataclass(frozen=True)
class _Inputs:
    """The clean partitions that a build reads."""

    origin: Source
    reports: list[CheckedFile]

    def files(self, months: list[Month]) -> dict[Dataset, list[Path]]:
        """Of these months, and the planes."""
        wanted = {"all", *map(str, months)}
        chosen = [report for report in self.reports if report.partition in wanted]
        return {dataset: [report.clean for report in chosen if report.dataset is dataset] for dataset in Dataset}

    def path(self, config: ModelConfig, month: Month, made: str) -> Path:
        """Where the month's features are, named by everything that they are made from."""
        files = self.files(with_history([month], self.origin))
        parts = [f"{dataset} {path.stem}" for dataset in Dataset for path in files[dataset]]
        key = hashlib.sha256("\n".join([made, *parts]).encode()).hexdigest()[:16]
        return home() / "cache" / "features" / config.name / f"{month}-{key}.parquet"

    @property
    def rows(self) -> dict[str, int]:
        """Flights by month."""
        return {report.partition: report.rows for report in self.reports if report.dataset is Dataset.FLIGHTS}


def batches(months: Sequence[Month], rows: Mapping[str, int]) -> Iterator[list[Month]]:
    """`months` in groups of MAX_ROWS flights at most, but one month at least: what one query holds in memory."""
    batch: list[Month] = []
    held = 0
    for month in months:
        if batch and held + rows[str(month)] > MAX_ROWS:
            yield batch
            batch, held = [], 0
        batch.append(month)
        held += rows[str(month)]
    if batch:
        yield batch


def _compute(config: ModelConfig, months: list[Month], paths: dict[Month, Path], inputs: _Inputs) -> None:
    """One query over all `months`; each month's rows into its own file."""
    files = inputs.files(with_history(months, inputs.origin))
    by_month(query(config, files, (day_number(months[0].first_day), day_number(months[-1].last_day))), months, paths)


def by_month(table: pa.Table, months: Sequence[Month], paths: Mapping[Month, Path]) -> None:
    """Write the rows of each month, sorted by departure, into its own file."""
    days = table["day_number"].to_numpy()
    for month in months:
        start = int(days.searchsorted(day_number(month.first_day), "left"))
        stop = int(days.searchsorted(day_number(month.last_day), "right"))
        write_parquet(table.slice(start, stop - start), paths[month])


def query(config: ModelConfig, files: dict[Dataset, list[Path]], days: tuple[int, int]) -> pa.Table:
    """The model's features of these days, read from Parquet files of clean rows, sorted by departure."""
    from ml.features.lookups import Tables
    from ml.features.queries import ORDER, feature_query

    with _duckdb() as connection:
        tables = {
            str(dataset): connection.read_parquet([str(path) for path in paths])
            if (paths := files[dataset])
            else connection.create_table(str(dataset), SCHEMAS[dataset].empty_table())
            for dataset in Dataset
        }
        return feature_query(config, Tables(**tables), days).order_by(ORDER).to_pyarrow()


@contextmanager
def _duckdb() -> Iterator[Any]:
    import duckdb
    import ibis

    connection = ibis.duckdb.connect(preserve_insertion_order=False)
    try:
        yield connection
    except duckdb.Error as error:
        raise StepFailedError(
            f"DuckDB could not compute the features: {str(error).splitlines()[0]}",
            hint="with too little memory or disk, ask for fewer months",
        ) from error
    finally:
        connection.disconnect()
