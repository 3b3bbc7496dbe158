"""Every read goes through a contract: rows that break it go into quarantine, with their reasons, and are counted.

The work is remembered by content: a partition is checked again when its bytes or the rules change, never otherwise.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from fonderie.core.errors import BadDataError
from fonderie.core.files import write_text
from fonderie.core.home import home
from ml.datasets.breaches import breaches
from ml.datasets.months import Month
from ml.datasets.parquet import content_hash, read_parquet, write_parquet
from ml.datasets.rules import contract
from ml.datasets.schema import Dataset, conform
from ml.datasets.sources import Source, source


@dataclass(frozen=True)
class ContractReport:
    """What the contract said of one partition, wherever it lies."""

    dataset: Dataset
    partition: str  # "2013-04", or "all" for planes
    rows: int
    quarantined: int
    reasons: dict[str, int]  # reason -> rows it holds for; one row can have several
    source: str
    source_hash: str  # changes with the partition's rows

    @property
    def quarantined_fraction(self) -> float:
        """Of all rows; 0 for an empty partition."""
        return self.quarantined / self.rows if self.rows else 0.0

    @property
    def look_at(self) -> str:
        """Where the rows in quarantine are to be seen."""
        return self.source

    def require(self, limit: float) -> None:
        """Raises BadDataError with the counts by reason when more than `limit` of the rows are in quarantine."""
        if self.quarantined_fraction > limit:
            counts = ", ".join(f"{reason}: {count}" for reason, count in self.reasons.items())
            raise BadDataError(
                f"{self.quarantined} of {self.rows} rows break the contract of {self.dataset}"
                f" ({self.quarantined_fraction:.1%}, limit {limit:.1%}): {counts}",
                where=self.source,
                hint=f"look at {self.look_at}; the limit is data.max_quarantined_fraction in the model's file",
            )


@dataclass(frozen=True)
class CheckedFile(ContractReport):
    """The same of a file, whose `source_hash` is the sha256 of its bytes."""

    clean: Path  # the rows that keep the contract
    quarantine: Path | None  # the others, with a column `reasons`; None when there are none

    @property
    def look_at(self) -> str:
        """The quarantine."""
        return str(self.quarantine)


def check(dataset: Dataset, month: Month | None = None, origin: Source | None = None) -> CheckedFile:
    """Read one partition through its contract. Raises BadDataError for a missing file, column or a wrong type."""
    path = (origin or source()).path(dataset, month)
    read = content_hash(path)
    folder = home() / "data" / "checked" / dataset
    stem = f"{month or 'all'}-{hashlib.sha256(f'{read} {month} {_rules_hash()}'.encode()).hexdigest()[:16]}"
    said = folder / f"{stem}.json"
    if not (said.exists() and (folder / f"{stem}.parquet").exists()):
        _check(dataset, month, path, folder / stem, said)
    report = json.loads(said.read_text())
    named = report.pop("quarantine")
    return CheckedFile(
        dataset,
        str(month or "all"),
        clean=folder / f"{stem}.parquet",
        quarantine=folder / named if named else None,
        source=str(path),
        source_hash=read,
        **report,
    )


def check_months(months: Iterable[Month], limit: float, origin: Source | None = None) -> list[CheckedFile]:
    """Flights and weather of `months`, and the planes, each within `limit`. A month may have no weather.

    Raises BadDataError naming the months there are, what cannot be read, or the reasons of too many rows.
    """
    origin = origin or source()
    months = list(months)
    origin.require(months)
    wanted: list[tuple[Dataset, Month | None]] = [(Dataset.FLIGHTS, month) for month in months]
    wanted += [(Dataset.WEATHER, month) for month in months if origin.path(Dataset.WEATHER, month).exists()]
    wanted.append((Dataset.PLANES, None))
    reports = [check(dataset, month, origin) for dataset, month in wanted]
    for report in reports:
        report.require(limit)
    return reports


def _check(dataset: Dataset, month: Month | None, path: Path, target: Path, said: Path) -> None:
    """Split the partition; the JSON comes last, so that it stands for the whole."""
    table = conform(read_parquet(path), dataset, path)
    found = breaches(table, contract(dataset, month))
    broken = pa.array(sorted(found), pa.int64())
    kept = pc.invert(pc.is_in(pa.array(range(len(table)), pa.int64()), value_set=broken))
    clean = table.filter(kept)
    write_parquet(clean, target.with_name(f"{target.name}.parquet"))
    quarantine = target.with_name(f"{target.name}.quarantine.parquet") if found else None
    if quarantine:
        reasons = pa.array(["; ".join(found[row]) for row in sorted(found)])
        write_parquet(table.take(broken).append_column("reasons", reasons), quarantine)
    summary = {
        "rows": len(table),
        "quarantined": len(found),
        "reasons": dict(Counter(reason for row in found.values() for reason in row).most_common()),
        "quarantine": quarantine.name if quarantine else None,
    }
    write_text(said, json.dumps(summary, indent=1) + "\n")


@cache
def _rules_hash() -> str:
    """Changes with the code that a contract is made of."""
    here = Path(__file__).parent
    return hashlib.sha256(
        b"".join((here / f"{name}.py").read_bytes() for name in ("rules", "schema", "contracts", "breaches"))
    ).hexdigest()
