"""Rows of a table in memory that break their contract, found by pandera."""

from __future__ import annotations

import warnings
from typing import Any

import pyarrow as pa

from ml.datasets.rules import Cells, Contract


def breaches(table: pa.Table, contract: Contract) -> dict[int, list[str]]:
    """Row number -> why it breaks the contract."""
    with warnings.catch_warnings():  # cdktf holds typeguard back; pandera says so at every import
        warnings.filterwarnings("ignore", message="Using typeguard < 3")
        import pandera.errors

        schema = _schema(contract)
    try:
        schema.validate(table.to_pandas(), lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return _by_row(errors.failure_cases)
    return {}


def _schema(contract: Contract) -> Any:
    """The contract as pandera writes it (null is NaN)."""
    from pandera import pandas as pa

    checks = [pa.Check(rule.holds, error=rule.says) for rule in contract.rows]
    key = list(contract.key)
    checks.append(pa.Check(lambda rows: ~rows.duplicated(key), error=contract.key_says))
    return pa.DataFrameSchema({name: _column(cells) for name, cells in contract.cells.items()}, checks=checks)


def _column(cells: Cells) -> Any:
    from pandera import pandas as pa

    checks = []
    if cells.pattern:
        checks.append(pa.Check.str_matches(cells.pattern, error=cells.says))
    elif cells.holds:
        checks.append(pa.Check(cells.holds, error=cells.says))
    return pa.Column(nullable=cells.null, checks=checks)


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
