"""Confidence intervals of a metric by the Poisson bootstrap: every sample weights every row once, all in one product.

Poisson(1) weights stand in for drawing with replacement (Chamandy et al., "Estimating uncertainty for massive data
streams", 2012), so overall and slices share one weight matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.models import Metric

Floats = NDArray[np.float64]
CONFIDENCE = 0.95


def weights(rows: int, samples: int, seed: int) -> Floats:
    """`samples` x `rows` weights; the same seed gives the same."""
    return np.random.default_rng(seed).poisson(1.0, (samples, rows)).astype(np.float64)


def interval(metric: Metric, actual: Floats, predicted: Floats, drawn: Floats) -> tuple[float, float] | None:
    """Bounds that hold CONFIDENCE of the weighted metrics; None when none of the samples admits the metric.

    `actual` and `predicted` are of the rows, `drawn` has a column a row.
    """
    values = weighted(metric, actual, predicted, drawn)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def measure(metric: Metric, actual: Floats, predicted: Floats) -> float | None:
    """The metric itself, None where it does not exist (no rows, one class only, a value that is not finite)."""
    if not len(actual):
        return None
    value = float(weighted(metric, actual, predicted, np.ones((1, len(actual))))[0])
    return value if np.isfinite(value) else None


def weighted(metric: Metric, actual: Floats, predicted: Floats, drawn: Floats) -> Floats:
    """The metric under each row of weights; NaN where it does not exist."""
    if metric is Metric.ROC_AUC:
        return _areas(actual, predicted, drawn)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = (drawn @ _losses(metric, actual, predicted)) / drawn.sum(axis=1)
        return np.sqrt(means) if metric is Metric.RMSE else means


def _losses(metric: Metric, actual: Floats, predicted: Floats) -> Floats:
    match metric:
        case Metric.MAE:
            return np.abs(actual - predicted)
        case Metric.RMSE:
            return (actual - predicted) ** 2
        case _:
            bounded = np.clip(predicted, 1e-15, 1 - 1e-15)
            return -(actual * np.log(bounded) + (1 - actual) * np.log(1 - bounded))


def _areas(actual: Floats, predicted: Floats, drawn: Floats) -> Floats:
    """Areas under the ROC curve: chance that a positive row is above a negative one, half for a tie.

    The rank-sum statistic with weights; rows are sorted once for all samples.
    """
    if not np.isfinite(predicted).all():
        return np.full(len(drawn), np.nan)
    order = np.argsort(predicted, kind="stable")
    values, positive = predicted[order], actual[order] > 0
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    up = np.add.reduceat(drawn[:, order] * positive, starts, axis=1)
    down = np.add.reduceat(drawn[:, order] * ~positive, starts, axis=1)
    below = np.cumsum(down, axis=1) - down / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        areas: Floats = (up * below).sum(axis=1) / (up.sum(axis=1) * down.sum(axis=1))
    return areas
