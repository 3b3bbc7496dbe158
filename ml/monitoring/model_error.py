"""The champion's error in a month, with an interval, by whole days: flights of a day share their winds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import Metric, TaskKind
from ml.monitoring.drift import Floats
from ml.monitoring.measures import FALSE_ALARMS

SAMPLES = 1000
MIN_DAYS = 5


@dataclass(frozen=True)
class MonthError:
    """A metric turned so that less is better (1 - AUC for AUC), with a two-sided interval at 1 - 2 FALSE_ALARMS."""

    value: float
    low: float
    high: float
    days: int


def month_error(
    metric: Metric, target: Floats, predictions: Floats, day: NDArray[np.int64], seed: int
) -> MonthError | None:
    """Error of the labelled rows with a bootstrap interval over days; None without labels, or with one class only.

    Fewer than 5 days give no interval (it is infinite): a few days say nothing of a month.
    """
    there = np.isfinite(target) & np.isfinite(predictions)
    if not there.any() or (metric.task is TaskKind.CLASSIFICATION and np.unique(target[there]).size < 2):
        return None
    days, at = np.unique(day[there], return_inverse=True)
    sums = metric.sums(target[there], predictions[there], at)
    value = metric.error(float(metric.of_sums(sums.sum(axis=0)[None])[0]))
    if days.size < MIN_DAYS:
        return MonthError(value, -np.inf, np.inf, days.size)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(days.size, np.full(days.size, 1 / days.size), size=SAMPLES)
    sampled = metric.of_sums(times @ sums)
    sampled = sampled[np.isfinite(sampled)]
    low, high = sorted(metric.error(float(end)) for end in np.quantile(sampled, [FALSE_ALARMS, 1 - FALSE_ALARMS]))
    return MonthError(value, low, high, days.size)
