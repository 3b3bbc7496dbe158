"""Features of all months that are packaged, and of ten times as many.

Seconds are the best of five and growth is in processor time: the rest says as much about the neighbours as about us.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from ml.datasets.contracts import check_months
from ml.datasets.months import Month
from ml.datasets.schema import Dataset
from ml.datasets.sources import Source, source
from ml.features.tables import build, day_number, query
from ml.models import ModelConfig, list_models, load_model
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
        taken = min(seconds(lambda config=config: query(config, files, _days(months)), runs=1) for _ in range(5))
        yield Row(f"features of {name}, {rows:,} rows, load included", taken, "s", "<= 2.5 s", taken <= 2.5)
    yield _ten_times(load_model("air_time"), origin, folder / "more")


def _ten_times(config: ModelConfig, origin: Source, folder: Path) -> Row:
    """The same months again in other years: as dense as the real ones, ten times as many; built as `build` does it."""
    more = _copy(origin, folder)
    for folders in (origin, more):
        check_months(folders.months(), 0.02, folders)
    once = processor_seconds(lambda: build(config, origin.months(), origin))
    taken = processor_seconds(lambda: build(config, more.months(), more))
    return Row(
        what=f"feature files of {config.name}, {TIMES} times the rows, processor time",
        value=taken,
        unit="s",
        reach="no worse than linear",
        reached=taken <= TIMES * once,
        baseline=TIMES * once,
        baseline_name=f"{TIMES} times the time of the packaged rows",
    )


def processor_seconds(call: Callable[[], object]) -> float:
    """Time that all cores together spent on `call`."""
    start = time.process_time()
    call()
    return time.process_time() - start


def _copy(origin: Source, folder: Path) -> Source:
    """Every month again at twenty years' distance; 29 February has no place in the packaged years."""
    for dataset in (Dataset.FLIGHTS, Dataset.WEATHER):
        (folder / dataset).mkdir(parents=True)
        for path in (origin.root / dataset).glob("*.parquet"):
            for years in range(0, 20 * TIMES, 20):
                target = folder / dataset / f"{Month.parse(path.stem).shift(12 * years)}.parquet"
                duckdb.sql(f"copy (select * replace (year + {years} as year) from '{path}') to '{target}'")
    shutil.copy(origin.path(Dataset.PLANES), folder)
    return Source(folder)


def _days(months: list[Month]) -> tuple[int, int]:
    return day_number(months[0].first_day), day_number(months[-1].last_day)
