"""The champion's error in a month, with an interval, by whole days: flights of a day share their winds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.models import Metric
from ml.monitoring.drift import Floats
from ml.monitoring.limits import FALSE_ALARMS

BINS = 400
"""Scores are binned by quantile for ROC AUC; the area is then exact to a few ten-thousandths."""

SAMPLES = 1000
MIN_DAYS = 5


@dataclass(frozen=True)
class MonthError:
    """A metric turned so that less is better (1 - AUC for AUC), with a two-sided interval at 1 - 2 FALSE_ALARMS."""

    value: float
    low: float
    high: float
    days: int


def as_error(metric: Metric, value: float) -> float:
    """The metric turned so that less is better."""
    return 1.0 - value if metric.higher_is_better else value


def month_error(
    metric: Metric, target: Floats, predictions: Floats, day: NDArray[np.int64], seed: int
) -> MonthError | None:
    """Error of the labelled rows with a bootstrap interval over days; None without labels, or with one class only.

    Fewer than 5 days give no interval (it is infinite): a few days say nothing of a month.
    """
    there = np.isfinite(target) & np.isfinite(predictions)
    if not there.any() or (_by_class(metric) and np.unique(target[there]).size < 2):
        return None
    parts, days = _by_day(metric, target[there], predictions[there], day[there])
    value = float(_error(metric, parts.sum(axis=0)[None])[0])
    if days < MIN_DAYS:
        return MonthError(value, -np.inf, np.inf, days)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(days, np.full(days, 1 / days), size=SAMPLES)
    sampled = _error(metric, times @ parts)
    sampled = sampled[np.isfinite(sampled)]
    low, high = np.quantile(sampled, [FALSE_ALARMS, 1 - FALSE_ALARMS])
    return MonthError(value, float(low), float(high), days)


def _by_class(metric: Metric) -> bool:
    return metric in (Metric.ROC_AUC, Metric.LOG_LOSS)


def _by_day(
    metric: Metric, target: Floats, predictions: Floats, day: NDArray[np.int64]
) -> tuple[NDArray[np.float64], int]:
    """Sums a day from which the metric of any set of days follows."""
    days, at = np.unique(day, return_inverse=True)
    if metric is Metric.ROC_AUC:
        edges = np.unique(np.quantile(predictions, np.linspace(0, 1, BINS + 1)[1:-1]))
        cell = np.searchsorted(edges, predictions, side="right") * 2 + (target > 0.5)
        width = 2 * (edges.size + 1)
        flat = np.bincount(at * width + cell, minlength=days.size * width)
        return flat.reshape(days.size, width).astype(np.float64), days.size
    loss = _loss(metric, target, predictions)
    return np.column_stack([np.bincount(at, loss), np.bincount(at)]), days.size


def _loss(metric: Metric, target: Floats, predictions: Floats) -> Floats:
    match metric:
        case Metric.MAE:
            return np.abs(predictions - target)
        case Metric.RMSE:
            return (predictions - target) ** 2
        case _:
            sure = np.clip(predictions, 1e-15, 1 - 1e-15)
            return np.asarray(-np.where(target > 0.5, np.log(sure), np.log1p(-sure)))


def _error(metric: Metric, sums: Floats) -> Floats:
    """The error of each row of summed parts."""
    if metric is Metric.ROC_AUC:
        negative, positive = sums[:, 0::2], sums[:, 1::2]
        below = np.cumsum(negative, axis=1) - negative / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(1 - (positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1)))
    mean = sums[:, 0] / sums[:, 1]
    return np.sqrt(mean) if metric is Metric.RMSE else mean
