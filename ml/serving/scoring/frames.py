"""Instances, frames and matrices of one schema: for probes, for scikit-learn's engine and for batch runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ml.serving.scoring.encoder import Matrix
from ml.serving.scoring.schema import Kind, Schema

if TYPE_CHECKING:
    import pandas as pd


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


def matrix_of(schema: Schema, frame: pd.DataFrame) -> tuple[Matrix, dict[str, int]]:
    """The encoded frame, and how many rows had an unknown category, by feature: those are read as missing."""
    import pandas as pd

    matrix = np.empty((len(frame), len(schema.fields)))
    unknown: dict[str, int] = {}
    for at, field in enumerate(schema.fields):
        column = frame[field.name]
        if field.kind is Kind.NUMERIC:
            matrix[:, at] = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
            continue
        codes = pd.Index(field.categories).get_indexer(pd.Index(column))
        strangers = int(((codes < 0) & column.notna().to_numpy()).sum())
        if strangers:
            unknown[field.name] = strangers
        matrix[:, at] = np.where(codes < 0, np.nan, codes)
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
