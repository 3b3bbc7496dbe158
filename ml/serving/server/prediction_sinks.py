"""Where the prediction log goes: parquet files in a folder, or a BigQuery table."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from pathlib import Path

import msgspec

from fonderie.core.files import replacing
from ml.locations import SINKS
from ml.serving.server.prediction_log import LogRow, Sink


class ParquetSink:
    """`<folder>/date=2013-04-01/<process>-<number>.parquet`: whole files, one a batch and day."""

    def __init__(self, folder: Path) -> None:
        import pyarrow  # noqa: F401  # now, not under the first requests: it takes a quarter of a second

        self._folder = folder
        self._numbers = itertools.count()

    def write(self, rows: list[LogRow]) -> None:
        """All rows or an OSError."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        days: dict[str, list[LogRow]] = defaultdict(list)
        for row in rows:
            days[row.at.date().isoformat()].append(row)
        for day, of_day in days.items():
            path = self._folder / f"date={day}" / f"{os.getpid()}-{next(self._numbers):06d}.parquet"
            with replacing(path) as draft:
                pq.write_table(pa.Table.from_pylist([msgspec.structs.asdict(row) for row in of_day]), draft)


def open_sink(location: str) -> Sink:
    """A folder, or what `SINKS` opens. Raises BadInputError."""
    if opener := SINKS.opener(location):
        return opener(location)
    return ParquetSink(Path(location))
