"""What a contract says of partitions, in one query a dataset: counts by reason, and a fingerprint of the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import ibis

from fonderie.google.bigquery.breaches import REASONS, with_reasons
from fonderie.google.bigquery.tables import PARTITION, rows_of
from ml.datasets.contracts import ContractReport
from ml.datasets.months import Month
from ml.datasets.rules import contract
from ml.datasets.schema import SCHEMAS, Dataset
from ml.features.catalogue import Table

NONE, BETWEEN = "␀", "␟"  # in the text that a row is hashed as
HASH_RANGE = 1 << 31  # so that a sum over four thousand million rows is still an INT64


def survey_query(table: Table, dataset: Dataset, months: Sequence[Month]) -> Table:
    """One row a partition: `rows`, `quarantined`, counts by reason, `fingerprint`.

    The fingerprint is of the rows as a set: exclusive or, and sum, of a hash of each row.
    """
    seen = with_reasons(rows_of(table, months), dataset, months)
    cells = [seen[name].cast("string").fill_null(NONE) for name in SCHEMAS[dataset].names]
    seen = seen.mutate(hashed=ibis.literal(BETWEEN).join(cells).hash())
    counts = {column: seen[column].cast("int64").sum() for column in seen.columns if column.startswith(REASONS)}
    groups = seen.group_by(PARTITION) if PARTITION in seen.columns else seen
    return groups.agg(
        rows=seen.count(),
        quarantined=seen.broken.cast("int64").sum(),
        bits=seen.hashed.bit_xor(),
        total=(seen.hashed % HASH_RANGE).sum(),
        **counts,
    )


def reports(answer: list[dict[str, Any]], dataset: Dataset, source: str) -> Iterator[ContractReport]:
    """The rows of `survey_query`'s answer as reports."""
    for row in answer:
        day = row.get(PARTITION)
        month = Month(day.year, day.month) if day else None
        rows, quarantined = int(row["rows"]), int(row["quarantined"] or 0)
        said = contract(dataset, month).reasons()
        counts = {reason: int(row[f"{REASONS}{at}"] or 0) for at, reason in enumerate(said)}
        found = sorted(((reason, count) for reason, count in counts.items() if count), key=lambda each: -each[1])
        yield ContractReport(
            dataset,
            str(month or "all"),
            rows=rows,
            quarantined=quarantined,
            reasons=dict(found),
            source=source,
            source_hash=f"{rows:x}-{int(row['bits'] or 0) % (1 << 64):016x}-{int(row['total'] or 0):x}",
        )
