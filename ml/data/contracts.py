"""Every read goes through a contract: rows that break it go into quarantine, with their reasons, and are counted.

The work is remembered by content: a partition is checked again when its bytes or the rules change, never otherwise.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fonderie.errors import BadDataError
from fonderie.files import write_text
from fonderie.home import home
from ml.data.months import Month
from ml.data.parquet import content_hash, read_parquet, write_parquet
from ml.data.schema import Dataset, conform
from ml.data.sources import Source, source


@dataclass(frozen=True)
class ContractReport:
    """What the contract said of one partition."""

    dataset: Dataset
    partition: str  # "2013-04", or "all" for planes
    rows: int
    quarantined: int
    reasons: dict[str, int]  # reason -> rows it holds for; one row can have several
    null_rates: dict[str, float]  # column -> share of nulls among the clean rows
    clean: Path  # the rows that keep the contract
    quarantine: Path | None  # the others, with a column `reasons`; None when there are none
    source: Path
    source_hash: str  # sha256 of the source file

    @property
    def quarantined_fraction(self) -> float:
        """Of all rows; 0 for an empty partition."""
        return self.quarantined / self.rows if self.rows else 0.0

    def require(self, limit: float) -> None:
        """Raises BadDataError with the counts by reason when more than `limit` of the rows are in quarantine."""
        if self.quarantined_fraction > limit:
            counts = ", ".join(f"{reason}: {count}" for reason, count in self.reasons.items())
            raise BadDataError(
                f"{self.quarantined} of {self.rows} rows break the contract of {self.dataset}"
                f" ({self.quarantined_fraction:.1%}, limit {limit:.1%}): {counts}",
                where=self.source,
                hint=f"look at {self.quarantine}; the limit is data.max_quarantined_fraction in the model's file",
            )


def check(dataset: Dataset, month: Month | None = None, origin: Source | None = None) -> ContractReport:
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
    return ContractReport(
        dataset,
        str(month or "all"),
        clean=folder / f"{stem}.parquet",
        quarantine=folder / named if named else None,
        source=path,
        source_hash=read,
        **report,
    )


def check_months(months: Iterable[Month], limit: float, origin: Source | None = None) -> list[ContractReport]:
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
    breaches = _breaches(table, dataset, month)
    broken = pa.array(sorted(breaches), pa.int64())
    kept = pc.invert(pc.is_in(pa.array(range(len(table)), pa.int64()), value_set=broken))
    clean = table.filter(kept)
    write_parquet(clean, target.with_name(f"{target.name}.parquet"))
    quarantine = target.with_name(f"{target.name}.quarantine.parquet") if breaches else None
    if quarantine:
        reasons = pa.array(["; ".join(breaches[row]) for row in sorted(breaches)])
        write_parquet(table.take(broken).append_column("reasons", reasons), quarantine)
    summary = {
        "rows": len(table),
        "quarantined": len(breaches),
        "reasons": dict(Counter(reason for row in breaches.values() for reason in row).most_common()),
        "null_rates": {name: clean[name].null_count / max(len(clean), 1) for name in clean.column_names},
        "quarantine": quarantine.name if quarantine else None,
    }
    write_text(said, json.dumps(summary, indent=1) + "\n")


def _breaches(table: pa.Table, dataset: Dataset, month: Month | None) -> dict[int, list[str]]:
    """Row number -> why it breaks the contract."""
    with warnings.catch_warnings():  # cdktf holds typeguard back; pandera says so at every import
        warnings.filterwarnings("ignore", message="Using typeguard < 3")
        import pandera.errors

        from ml.data.rules import contract

    try:
        contract(dataset, month).validate(table.to_pandas(), lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return _by_row(errors.failure_cases)
    return {}


def _by_row(cases: Any) -> dict[int, list[str]]:
    """pandera's failure cases (one a cell) as reasons a row, each once, in order."""
    found: dict[int, list[str]] = {}
    for row, column, says, context in zip(
        cases["index"], cases["column"], cases["check"], cases["schema_context"], strict=True
    ):
        reason = "is missing" if says == "not_nullable" else str(says)
        reason = f"{column} {reason}" if context == "Column" else reason
        reasons = found.setdefault(int(row), [])
        if reason not in reasons:
            reasons.append(reason)
    return found


@cache
def _rules_hash() -> str:
    """Changes with the code that a contract is made of."""
    here = Path(__file__).parent
    return hashlib.sha256(
        b"".join((here / f"{name}.py").read_bytes() for name in ("rules", "schema", "contracts"))
    ).hexdigest()
