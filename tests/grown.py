"""More of the same: every month many times over, denser and no longer, for what must grow with the rows and no faster.

Each copy has airports of its own and the planes, airlines, timetable and weather of the original. No window or join
reaches from one copy into another, so the features of a flight are those of the flight it was copied from.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase

import pyarrow as pa
import pyarrow.compute as pc

from ml.datasets.months import Month
from ml.datasets.parquet import read_parquet, write_parquet
from ml.datasets.schema import Dataset, conform
from ml.datasets.sources import Source


def grow(origin: Source, folder: Path, times: int, months: Sequence[Month] | None = None) -> Source:
    """Write the months (all by default) with `times` as many rows; one month at a time is in memory."""
    for dataset in (Dataset.FLIGHTS, Dataset.WEATHER):
        (folder / dataset).mkdir(parents=True)
        for month in months or origin.months():
            path = origin.path(dataset, month)
            rows = conform(read_parquet(path), dataset, path)
            write_parquet(pa.concat_tables([copied(rows, at) for at in range(times)]), folder / dataset / path.name)
    shutil.copy(origin.path(Dataset.PLANES), folder)
    return Source(folder)


def copied(rows: pa.Table, at: int) -> pa.Table:
    """`rows` at the airports of copy number `at`; copy 0 is the original."""
    if at == 0:
        return rows
    codes = pc.unique(rows["origin"].drop_null()).to_pylist()
    other = rows["origin"]
    for code in codes:
        other = pc.if_else(pc.equal(rows["origin"], code), airport(code, at), other)
    return rows.set_column(rows.column_names.index("origin"), "origin", other)


def airport(code: str, at: int) -> str:
    """Three letters for `code` in copy `at`: its first letter, and the copy's number in letters: 675 copies at most."""
    return f"{code[0]}{ascii_uppercase[at // 26]}{ascii_uppercase[at % 26]}"
