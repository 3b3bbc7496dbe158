"""Where the months come from: the two packaged years, or a folder of one's own that FONDERIE_DATA names.

flights/2013-04.parquet   weather/2013-04.parquet   planes.parquet      (columns: ml/datasets/schema.py)
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fonderie.core.errors import BadDataError, BadInputError
from fonderie.core.home import home
from ml.datasets.months import Month
from ml.datasets.parquet import content_hash
from ml.datasets.schema import Dataset


@dataclass(frozen=True)
class Source:
    """A folder of monthly partitions."""

    root: Path

    def path(self, dataset: Dataset, month: Month | None = None) -> Path:
        """The partition's file, whether it is there or not; planes have no month."""
        return self.root / (f"{dataset}.parquet" if month is None else f"{dataset}/{month}.parquet")

    def months(self) -> list[Month]:
        """Months there are flights for, in order. Raises BadInputError for a file that is not called by a month."""
        return sorted(Month.parse(path.stem) for path in (self.root / Dataset.FLIGHTS).glob("[!.]*.parquet"))

    def require(self, months: Iterable[Month]) -> None:
        """Raises BadDataError naming the months there are, unless all of `months` are among them."""
        require_in(self.months(), months, self.root, empty="put flights/YYYY-MM.parquet into the folder")

    def latest(self, month: Month, count: int) -> list[Month]:
        """`month` and the months with data before it, `count` in all at most, in order. Raises BadDataError."""
        self.require([month])
        return latest_of(self.months(), month, count)

    def data_hash(self, months: Iterable[Month]) -> str:
        """sha256 over the contents of everything that these months are made from: flights, weather, planes."""
        digest = hashlib.sha256()
        for month in sorted(set(months)):
            for dataset in (Dataset.FLIGHTS, Dataset.WEATHER):
                path = self.path(dataset, month)
                digest.update(f"{dataset} {month} {content_hash(path) if path.exists() else 'none'}\n".encode())
        digest.update(f"planes {content_hash(self.path(Dataset.PLANES))}\n".encode())
        return digest.hexdigest()


def require_in(there: list[Month], months: Iterable[Month], where: str | Path, *, empty: str) -> None:
    """Raises BadDataError naming the months that are `there`, unless all of `months` are; `empty` helps without any."""
    if missing := sorted(set(months) - set(there)):
        hint = f"there are {spans(there)}" if there else empty
        raise BadDataError(f"no flights for {', '.join(map(str, missing))}", where=where, hint=hint)


def latest_of(there: list[Month], month: Month, count: int) -> list[Month]:
    """Of the months that are `there`, the last `count` up to `month`."""
    return [known for known in there if known <= month][-count:]


def source() -> Source:
    """The folder FONDERIE_DATA names, or the packaged years, partitioned at the first call. Raises BadInputError."""
    named = os.environ.get("FONDERIE_DATA")
    if named is None:
        from ml.datasets.packaged import partition

        return Source(partition(home() / "data"))
    if not (Path(named) / Dataset.FLIGHTS).is_dir():
        raise BadInputError("has no folder flights/", where=Path(named), hint="FONDERIE_DATA names a folder of months")
    return Source(Path(named).absolute())


def available_months() -> list[Month]:
    """Months there is data for, in order."""
    return source().months()


def spans(months: list[Month]) -> str:
    """Months as a person would list them: "2013-01 to 2013-12, 2023-01"."""
    groups: list[list[Month]] = []
    for month in months:
        if groups and groups[-1][-1].next == month:
            groups[-1].append(month)
        else:
            groups.append([month])
    return ", ".join(str(g[0]) if len(g) == 1 else f"{g[0]} to {g[-1]}" for g in groups)
