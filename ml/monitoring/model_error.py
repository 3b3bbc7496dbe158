"""The champion's error in a month, with an interval, by whole days: flights of a day share their winds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.intervals import interval
from ml.evaluation.metrics import Metric, TaskKind
from ml.monitoring.drift import Floats
from ml.monitoring.measures import FALSE_ALARMS

SAMPLES = 1000


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
    """Error of the labelled rows with an interval by day; None without labels, or with one class only.

    Fewer than 5 days give no interval (it is infinite): a few days say nothing of a month.
    """
    there = np.isfinite(target) & np.isfinite(predictions)
    if not there.any() or (metric.task is TaskKind.CLASSIFICATION and np.unique(target[there]).size < 2):
        return None
    rows = target[there], predictions[there]
    ends = interval(metric, *rows, day[there], samples=SAMPLES, seed=seed, confidence=1 - 2 * FALSE_ALARMS)
    days = np.unique(day[there]).size
    value = metric.error(metric.value(*rows))
    if ends is None:
        return MonthError(value, -np.inf, np.inf, days)
    low, high = sorted(metric.error(end) for end in (ends.low, ends.high))
    return MonthError(value, low, high, days)
