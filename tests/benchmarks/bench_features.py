"""Features of all months that are packaged, and of ten times as many."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from ml.config import ModelConfig, list_models, load_model
from ml.data.contracts import check_months
from ml.data.features import day_number, query
from ml.data.months import Month
from ml.data.schema import Dataset
from ml.data.sources import source
from tests.benchmarks.rows import Row, seconds

TIMES = 10


def measure() -> Iterator[Row]:
    """In a home of its own, so that nothing is remembered from earlier."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FONDERIE_HOME"] = folder
        try:
            yield from _measure(Path(folder))
        finally:
            del os.environ["FONDERIE_HOME"]


def _measure(folder: Path) -> Iterator[Row]:
    packaged = seconds(source, runs=1)
    yield Row("both packages into monthly partitions, once", packaged, "s", "stated", True)
    origin = source()
    months = origin.months()
    first = seconds(lambda: check_months(months, 0.02, origin), runs=1)
    again = seconds(lambda: check_months(months, 0.02, origin))
    yield Row("contracts over all months, remembered", again, "s", "<= 1/10", again <= first / 10, first, "first time")
    files = {
        dataset: [r.clean for r in check_months(months, 0.02, origin) if r.dataset is dataset] for dataset in Dataset
    }
    for name in list_models():
        config = load_model(name)
        rows = query(config, files, _days(months)).num_rows
        taken = seconds(lambda config=config: query(config, files, _days(months)))
        yield Row(f"features of {name}, {rows:,} rows, load included", taken, "s", "<= 2.5 s", taken <= 2.5)
    yield _ten_times(load_model("air_time"), months, files, folder)


def _ten_times(config: ModelConfig, months: list[Month], files: dict[Dataset, list[Path]], folder: Path) -> Row:
    """The same months again in other years: as dense as the real ones, ten times as many."""
    more = {
        dataset: [_copy(path, folder / f"{copy}-{path.name}", 20 * copy) for path in paths for copy in range(TIMES)]
        if dataset is not Dataset.PLANES
        else paths
        for dataset, paths in files.items()
    }
    last = months[-1].shift(12 * 20 * (TIMES - 1))
    once = seconds(lambda: query(config, files, _days(months)))
    taken = seconds(lambda: query(config, more, _days([months[0], last])), runs=1)
    return Row(
        f"features of {config.name}, {TIMES} times the rows", taken, "s", "no worse than linear",
        taken <= TIMES * once, TIMES * once, f"{TIMES} times the above",
    )  # fmt: skip


def _copy(path: Path, target: Path, years: int) -> Path:
    """The partition, so many years later; 29 February has no place in the packaged years."""
    duckdb.sql(f"copy (select * replace (year + {years} as year) from '{path}') to '{target}' (format parquet)")
    return target


def _days(months: list[Month]) -> tuple[int, int]:
    return day_number(months[0].first_day), day_number(months[-1].last_day)
