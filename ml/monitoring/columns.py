"""One column on both sides of a comparison, reduced to what the measures need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ml.monitoring.drift import Floats, Histogram, counts_of, histogram

GRID_SIZE = 600
"""A numeric column with no more distinct values than this is on a grid: degrees, hours, seats, rounded readings."""

GRID_ROWS = 20
"""... if each of them comes this often on average."""


@dataclass(frozen=True)
class NumericSide:
    """Numbers of one side; null is NaN."""

    values: Floats

    @cached_property
    def known(self) -> Floats:
        """The finite values, sorted."""
        return np.sort(self.values[np.isfinite(self.values)])

    @cached_property
    def distinct(self) -> tuple[Floats, Floats]:
        """Distinct finite values and how often each comes."""
        points, counts = np.unique(self.known, return_counts=True)
        return points, counts.astype(np.float64)

    @cached_property
    def buckets(self) -> Histogram:
        """As TFDV would keep it, nulls apart."""
        return histogram(self.known)

    @property
    def size(self) -> int:
        """Number of finite values."""
        return self.known.size

    @property
    def rows(self) -> int:
        """All of them, nulls too."""
        return self.values.size

    @property
    def null_rate(self) -> float:
        """Share of NaN; 1 for a column without rows."""
        return float(np.isnan(self.values).mean()) if self.values.size else 1.0

    @property
    def infinite_rate(self) -> float:
        """Share of infinities."""
        return float(np.isinf(self.values).mean()) if self.values.size else 0.0

    @property
    def on_grid(self) -> bool:
        """Does the column take a limited set of values?"""
        size = self.distinct[0].size
        return 0 < size <= GRID_SIZE and self.known.size >= GRID_ROWS * size

    @property
    def mode(self) -> tuple[float, float]:
        """The most frequent value and its share; (NaN, 0) without values."""
        points, counts = self.distinct
        top = int(counts.argmax()) if counts.size else -1
        return (float(points[top]), float(counts[top] / counts.sum())) if top >= 0 else (float("nan"), 0.0)


@dataclass(frozen=True)
class CategorySide:
    """Categories of one side and how often each comes."""

    counts: dict[str, int]
    nulls: int

    @property
    def size(self) -> int:
        """Rows that are not null."""
        return sum(self.counts.values())

    @property
    def rows(self) -> int:
        """All of them, nulls too."""
        return self.size + self.nulls

    @property
    def null_rate(self) -> float:
        """Share of nulls; 1 for a column without rows."""
        return self.nulls / self.rows if self.rows else 1.0


def numeric(column: Any) -> NumericSide:
    """A numeric column from a pandas series; nulls are counted and left out."""
    return NumericSide(pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan))


def category(column: Any) -> CategorySide:
    """A categorical column from a pandas series; nulls are counted and left out."""
    return CategorySide(*counts_of(column.tolist()))


def unseen_share(reference: NumericSide, current: NumericSide) -> tuple[float, int]:
    """Share of values where the reference has none, among those that are not its most frequent one; and their number.

    On a grid that is any other value; else one outside the reference's range. The most frequent value is left out
    because a column that is nearly always 0 (rain) or at its stop (visibility) says nothing in those rows.
    """
    mode, _ = reference.mode
    values = current.known[current.known != mode]
    if not values.size:
        return 0.0, 0
    if reference.on_grid:
        strange = ~np.isin(values, reference.distinct[0])
    else:
        strange = (values < reference.known[0]) | (values > reference.known[-1])
    return float(strange.mean()), int(values.size)


def spike(reference: NumericSide, current: NumericSide) -> tuple[float, float]:
    """The value whose share grew most, and by how much."""
    points, counts = current.distinct
    if not points.size:
        return float("nan"), 0.0
    known, before = reference.distinct
    at = np.clip(np.searchsorted(known, points), 0, max(known.size - 1, 0))
    old = np.where(known[at] == points, before[at], 0.0) / max(before.sum(), 1) if known.size else np.zeros(points.size)
    grown = counts / counts.sum() - old
    return float(points[int(grown.argmax())]), float(grown.max())
