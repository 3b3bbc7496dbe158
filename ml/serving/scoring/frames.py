"""Instances, frames and matrices of one schema: for probes, for scikit-learn's engine and for batch runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ml.serving.scoring.encoder import Matrix
from ml.serving.scoring.schema import Kind, Schema

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def frame_of(schema: Schema, matrix: Matrix) -> pd.DataFrame:
    """The frame a pipeline was trained on: float64 columns, strings with missing values."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for at, field in enumerate(schema.fields):
        values = matrix[:, at]
        if field.kind is Kind.NUMERIC:
            columns[field.name] = values
            continue
        names = [None if code != code else field.categories[int(code)] for code in values.tolist()]
        columns[field.name] = pd.Series(names, dtype="str")
    return pd.DataFrame(columns)


def matrix_of(schema: Schema, rows: pa.Table) -> tuple[Matrix, dict[str, int]]:
    """The rows as numbers, (rows, features); and how many had an unknown category, by feature: those are NaN, as nulls.

    Raises KeyError for a feature without a column.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    matrix = np.empty((len(rows), len(schema.fields)))
    unknown: dict[str, int] = {}
    for at, field in enumerate(schema.fields):
        column = rows[field.name].combine_chunks()
        if field.kind is Kind.CATEGORICAL:
            codes = pc.index_in(column.cast(pa.string()), value_set=pa.array(field.categories, pa.string()))
            if count := codes.null_count - column.null_count:
                unknown[field.name] = count
            column = codes
        matrix[:, at] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return matrix, unknown


def instances_of(schema: Schema, matrix: Matrix) -> list[dict[str, Any]]:
    """The rows as a client would send them: null for missing, categories by name."""
    return [
        {
            field.name: None
            if value != value
            else value
            if field.kind is Kind.NUMERIC
            else field.categories[int(value)]
            for field, value in zip(schema.fields, row, strict=True)
        }
        for row in matrix.tolist()
    ]


def probe_matrix(schema: Schema, sample: Matrix, *, rows: int = 200) -> Matrix:
    """`rows` of the sample, then a row for every null and every category: each branch of the trees' reading is met."""
    step = max(len(sample) // rows, 1)
    base = sample[::step][:rows]
    variants: list[Matrix] = []
    for at, field in enumerate(schema.fields):
        for value in (np.nan, *range(len(field.categories))):
            row = base[len(variants) % len(base)].copy()
            row[at] = value
            variants.append(row)
    return np.vstack([base, np.array(variants)])
