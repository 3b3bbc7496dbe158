"""The datasets as BigQuery's tables: a month is a partition, and every reading names the partitions it reads.

`flights` and `weather` have the columns of `ml.datasets.schema` and `partition_month`, a DATE, a month's first day;
a query without it is refused by the table itself (`require_partition_filter`). `planes` is small and has no partitions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ibis

from ml.datasets.months import Month
from ml.datasets.schema import SCHEMAS, Dataset
from ml.features.catalogue import Table

PARTITION = "partition_month"


def table_of(project: str, name: str, dataset: Dataset) -> Table:
    """The whole table of `dataset` in BigQuery's dataset `name`, by its schema alone."""
    columns = dict(ibis.Schema.from_pyarrow(SCHEMAS[dataset]).items())
    if dataset is not Dataset.PLANES:
        columns[PARTITION] = "date"
    return ibis.table(columns, name=str(dataset), catalog=project, database=name)


def rows_of(table: Table, months: Sequence[Month]) -> Table:
    """The rows of these months' partitions, NaN as null; all rows of a table without partitions."""
    if PARTITION in table.columns:
        days = [first_day(month) for month in months]
        table = table.filter(table[PARTITION].isin(days))
    floats = [name for name, kind in table.schema().items() if kind.is_floating()]
    return table.mutate(
        **{name: ibis.ifelse(table[name].isnan(), ibis.null("float64"), table[name]) for name in floats}
    )


def first_day(month: Month) -> Any:
    """The partition of a month; a constant, so that BigQuery prunes by it."""
    return ibis.date(month.year, month.month, 1)
