"""What a month looks like beside its reference: a few shares a column, so that a page can draw it months later."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ml.models import ModelConfig
from ml.monitoring.columns import CategorySide, NumericSide, category, numeric
from ml.monitoring.drift import Floats
from ml.monitoring.verdict import Shape

BUCKETS = 24
TAIL = 0.005
"""Share of a side's values at each end that is drawn in the outermost bucket, so that one extreme flattens nothing."""
CATEGORIES = 6
DIGITS = 5


def shapes(config: ModelConfig, reference: pd.DataFrame, current: pd.DataFrame, predictions: Floats) -> Iterator[Shape]:
    """One a feature that has values on both sides, and one of the predictions."""
    yield from _numeric("prediction", numeric(reference["prediction"]), NumericSide(np.asarray(predictions)))
    for name in config.features.numeric:
        yield from _numeric(name, numeric(reference[name]), numeric(current[name]))
    for name in config.features.categorical:
        yield from _categorical(name, category(reference[name]), category(current[name]))


def _numeric(name: str, before: NumericSide, after: NumericSide) -> Iterator[Shape]:
    if not (before.known.size and after.known.size):
        return
    ends = [np.quantile(side.known, [TAIL, 1 - TAIL], method="inverted_cdf") for side in (before, after)]
    low, high = float(min(end[0] for end in ends)), float(max(end[1] for end in ends))
    if not np.isfinite(high - low):
        return  # nothing can be drawn to that scale
    edges = _edges(low, high, whole=all(bool((side.known % 1 == 0).all()) for side in (before, after)))
    yield Shape(
        subject=name,
        edges=tuple(float(f"{edge:.9g}") for edge in edges),
        reference=_shares(np.histogram(np.clip(before.known, low, high), edges)[0]),
        current=_shares(np.histogram(np.clip(after.known, low, high), edges)[0]),
    )


def _edges(low: float, high: float, *, whole: bool) -> Floats:
    """Of equal buckets. Whole numbers come as many to a bucket: else every second one would look empty."""
    if low == high:
        return np.array([low, high])
    if not whole:
        return np.linspace(low, high, BUCKETS + 1)
    low, high = np.floor(low), np.floor(high)
    width = np.ceil((high - low + 1) / BUCKETS)
    return np.asarray(low + width * np.arange(np.floor((high - low) / width) + 2), dtype=np.float64)


def _categorical(name: str, before: CategorySide, after: CategorySide) -> Iterator[Shape]:
    """The categories that have moved most, the largest first."""
    if not (before.size and after.size):
        return
    sides = [{key: count / side.size for key, count in side.counts.items()} for side in (before, after)]
    told = {key: tuple(side.get(key, 0.0) for side in sides) for key in sorted({*sides[0], *sides[1]})}
    moved = sorted(told, key=lambda key: (-abs(told[key][0] - told[key][1]), -max(told[key])))[:CATEGORIES]
    names = sorted(moved, key=lambda key: -max(told[key]))
    yield Shape(
        subject=name,
        names=tuple(names),
        reference=tuple(round(told[key][0], DIGITS) for key in names),
        current=tuple(round(told[key][1], DIGITS) for key in names),
        others=len(told) - len(names),
    )


def _shares(counts: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(count), DIGITS) for count in counts / counts.sum())
