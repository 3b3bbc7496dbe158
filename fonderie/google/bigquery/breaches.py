"""The contracts of `ml.datasets.rules` as expressions over BigQuery's tables: the same reasons, where the rows are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis

from fonderie.google.bigquery.tables import PARTITION, first_day
from ml.datasets.months import Month
from ml.datasets.rules import Cells, contract
from ml.datasets.schema import Dataset
from ml.features.catalogue import Column, Table

REASONS = "breaks_"
"""Columns `breaks_0`, `breaks_1`, ... of `with_reasons`: in the order of `Contract.reasons()`."""


def with_reasons(rows: Table, dataset: Dataset, months: Sequence[Month]) -> Table:
    """`rows` with a boolean column for each reason of the contract, and `broken`, whether any of them holds."""
    breaks = _breaches(rows, dataset, months)
    rows = rows.mutate(**{f"{REASONS}{at}": broken for at, broken in enumerate(breaks)})
    broken = rows[f"{REASONS}0"]
    for at in range(1, len(breaks)):
        broken = broken | rows[f"{REASONS}{at}"]
    return rows.mutate(broken=broken)


def _breaches(rows: Table, dataset: Dataset, months: Sequence[Month]) -> list[Column]:
    """In the order of `Contract.reasons()`. What the contract says of a calendar is said of each row's own month."""
    each = [contract(dataset, month) for month in months] if PARTITION in rows.columns else [contract(dataset, None)]
    rules, found = each[0], []
    for name, cells in rules.cells.items():
        column = rows[name]
        if not cells.null:
            found.append(column.isnull())
        if cells.says:
            kept = _kept(rows, column, [one.cells[name] for one in each], months)
            found.append(column.notnull() & ~kept)
    found += [~rule.holds(rows).fill_null(False) for rule in rules.rows]
    group = [*rules.key, PARTITION] if PARTITION in rows.columns else list(rules.key)
    again = ibis.row_number().over(group_by=group, order_by=[name for name in rows.columns if name not in group])
    return [*found, again > 0]


def _kept(rows: Table, column: Column, each: list[Cells], months: Sequence[Month]) -> Column:
    """Whether a cell is as the contract wants it."""
    if pattern := each[0].pattern:
        return column.re_search(pattern).fill_null(False)
    kept: list[Any] = [cells.holds(column) for cells in each if cells.holds]
    if len({cells.says for cells in each}) == 1:
        return kept[0].fill_null(False)
    partition = rows[PARTITION]
    cases = [(partition == first_day(month), one) for month, one in zip(months, kept, strict=True)]
    return ibis.cases(*cases, else_=False).fill_null(False)
