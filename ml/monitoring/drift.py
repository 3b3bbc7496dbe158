"""Drift measures: how far a month's values lie from the reference's, as numbers that mean the same everywhere.

`jensen_shannon` is the definition of TensorFlow Data Validation (`anomalies/metrics.cc`), which Vertex AI Model
Monitoring uses too: 10 equal-width buckets per data set, the union of both sides' boundaries, mass spread evenly inside
a bucket, logarithms to base 2, capped at 1. It is the divergence; scipy's `jensenshannon` is its square root.

A side without any value cannot be compared: every measure raises BadDataError for it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fonderie.core.errors import BadDataError

Floats = NDArray[np.float64]
Bucket = tuple[float, float, float]
"""Low, high, count. `low == high` is a point mass; an infinite bound holds infinities."""

BUCKETS = 10
PSI_FLOOR = 1e-4  # a share of zero has no logarithm; the customary floor


@dataclass(frozen=True)
class Histogram:
    """A column as TFDV keeps it: buckets in rising order, and the count of NaN."""

    buckets: tuple[Bucket, ...]
    nan: float = 0.0

    @property
    def total(self) -> float:
        """All of its mass, NaN included."""
        return math.fsum(count for _, _, count in self.buckets) + self.nan


def histogram(values: ArrayLike, buckets: int = BUCKETS) -> Histogram:
    """Equal-width buckets from the least to the largest finite value; a constant column is one point mass."""
    column = np.asarray(values, dtype=np.float64).ravel()
    finite = column[np.isfinite(column)]
    nan = int(np.isnan(column).sum())
    infinite = column.size - finite.size - nan
    made = _equal_width(finite, buckets) if finite.size else []
    return Histogram((*made, (math.inf, math.inf, float(infinite))) if infinite else tuple(made), float(nan))


def _equal_width(finite: Floats, buckets: int) -> list[Bucket]:
    low, high = float(finite.min()), float(finite.max())
    if low == high:
        return [(low, low, float(finite.size))]
    # The width of the widest columns overflows; halving is exact there.
    scale = 1.0 if math.isfinite(high - low) else 0.5
    try:
        counts, edges = np.histogram(finite * scale, bins=buckets, range=(low * scale, high * scale))
    except ValueError:  # fewer floats between low and high than buckets: every value is a point
        points, counts = np.unique(finite, return_counts=True)
        return [(float(point), float(point), float(count)) for point, count in zip(points, counts, strict=True)]
    edges = edges / scale
    return [(float(a), float(b), float(n)) for a, b, n in zip(edges, edges[1:], counts, strict=False)]


def jensen_shannon(reference: Histogram, current: Histogram) -> float:
    """Jensen-Shannon divergence in [0, 1]: 0 for the same distribution, 1 without any overlap. Symmetric.

    As in TFDV, NaN and infinities never match those of the other side, so a column with nulls differs from itself; and
    a point mass matches only the same point. TFDV drops NaN when the boundaries differ, against its own rule; here the
    rule holds always. Raises BadDataError when a side is empty.
    """
    sides = reference, current
    edges = np.unique([bound for side in sides for low, high, _ in _widths(side) for bound in (low, high)])
    points = sorted({low for side in sides for low, _, _ in _points(side)})
    extra = [_infinite(reference), 0.0, reference.nan, 0.0], [0.0, _infinite(current), 0.0, current.nan]
    p, q = (
        _normal([*_rebucketed(side, edges), *_at(side, points), *rest]) for side, rest in zip(sides, extra, strict=True)
    )
    return _divergence(p, q)


def _widths(side: Histogram) -> list[Bucket]:
    return [(a, b, n) for a, b, n in side.buckets if math.isfinite(a) and math.isfinite(b) and a < b]


def _points(side: Histogram) -> list[Bucket]:
    return [(a, b, n) for a, b, n in side.buckets if math.isfinite(a) and a == b]


def _infinite(side: Histogram) -> float:
    return math.fsum(n for a, b, n in side.buckets if not (math.isfinite(a) and math.isfinite(b)))


def _at(side: Histogram, points: list[float]) -> list[float]:
    mass: dict[float, float] = {}
    for low, _, count in _points(side):
        mass[low] = mass.get(low, 0.0) + count
    return [mass.get(point, 0.0) for point in points]


def _rebucketed(side: Histogram, edges: Floats) -> list[float]:
    """The mass of `side` between neighbouring `edges`, spread evenly inside each of its own buckets."""
    widths = _widths(side)
    if not widths:
        return [0.0] * max(len(edges) - 1, 0)
    bounds = np.array([bound for low, high, _ in widths for bound in (low, high)])
    after = np.cumsum([count for _, _, count in widths])
    cumulative = np.column_stack([np.concatenate([[0.0], after[:-1]]), after]).ravel()
    return list(np.diff(np.interp(edges, bounds, cumulative)))


def _normal(masses: Iterable[float]) -> Floats:
    array = np.array(list(masses), dtype=np.float64)
    if not array.sum() > 0:
        raise BadDataError("a column without values cannot be compared", hint="look at its null rate instead")
    return np.asarray(array / array.sum(), dtype=np.float64)


def _divergence(p: Floats, q: Floats) -> float:
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where((side > 0) & (middle > 0), side * np.log2(side / middle), 0.0) for side in (p, q)]
    return float(min(max((parts[0].sum() + parts[1].sum()) / 2, 0.0), 1.0))


def counts_of(values: Iterable[object]) -> tuple[dict[str, int], int]:
    """Categories and how often each comes, and the number of nulls (None, NaN)."""
    counts = Counter(values)
    missing = [key for key in counts if key is None or key != key]
    nulls = sum(counts.pop(key) for key in missing)
    return {str(key): count for key, count in counts.items()}, nulls


def _shares(reference: Mapping[str, float], current: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Both sides' shares over all categories; one that a side has not seen has share 0 there."""
    categories = sorted({*reference, *current})
    return _normal(reference.get(c, 0.0) for c in categories), _normal(current.get(c, 0.0) for c in categories)


def l_infinity(reference: Mapping[str, float], current: Mapping[str, float]) -> float:
    """Largest difference of a category's share, in [0, 1] (TFDV's `LInftyDistance`). Symmetric."""
    if not reference and not current:
        return 0.0  # TFDV's own vector: two empty maps do not differ
    p, q = _shares(reference, current)
    return float(np.abs(p - q).max())


def jensen_shannon_categories(reference: Mapping[str, float], current: Mapping[str, float]) -> float:
    """Jensen-Shannon divergence of two categorical columns, in [0, 1]. Symmetric."""
    return _divergence(*_shares(reference, current))


def psi(reference: ArrayLike, current: ArrayLike, bins: int = 10) -> float:
    """Population stability index over the reference's quantile bins, NaN a bin of its own; >= 0, unbounded.

    Usual reading: below 0.1 stable, above 0.25 shifted. Infinities fall into the outer bins.
    """
    sides = [np.asarray(side, dtype=np.float64).ravel() for side in (reference, current)]
    known = sides[0][np.isfinite(sides[0])]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])) if known.size else np.array([])
    p, q = (_binned_shares(side, edges) for side in sides)
    return float(np.sum((p - q) * np.log(p / q)))


def _binned_shares(side: Floats, edges: Floats) -> Floats:
    nan = np.isnan(side)
    bins = np.bincount(np.searchsorted(edges, side[~nan], side="left"), minlength=len(edges) + 1)
    return np.maximum(_normal([*bins, nan.sum()]), PSI_FLOOR)
