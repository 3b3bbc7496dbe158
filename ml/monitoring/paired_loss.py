"""The champion's loss beside that of the naive feature on the same days: season and weather are in both and cancel.

The limit on the ratio of both is what the gate measured, at the unlucky end of its interval. Days are taken one after
another by an asymptotic confidence sequence, which holds at whatever day of the month it is looked at. Source:
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
sequences" (arXiv 2103.06476), proposition B.1 for the one-sided bound. It treats days as independent, and is a limit:
where the naive feature alone has stormy days, 3 months of 100 are above by chance instead of 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import MeanLoss, Metric
from ml.monitoring.drift import Floats
from ml.monitoring.measures import FALSE_ALARMS

TIGHTEST_AT_DAY = 20
FIRST_DAY = 14
"""Before it the spread of the days is not known well enough for a limit theorem."""


@dataclass(frozen=True)
class PairedLoss:
    """Mean losses of a month, and whether some day has shown that the ratio is above its limit."""

    ratio: float
    limit: float
    above: bool
    day: int
    """The first on which it was above, counted from 1 among the days with labels; else the last."""


def paired_loss(
    metric: Metric, target: Floats, predictions: Floats, naive: Floats, day: NDArray[np.int64], limit: float
) -> PairedLoss | None:
    """None for a metric that is not a mean over rows, and for fewer days than a limit theorem wants."""
    there = np.isfinite(target) & np.isfinite(predictions) & np.isfinite(naive)
    if not isinstance(metric, MeanLoss) or not there.any():
        return None
    _, at = np.unique(day[there], return_inverse=True)
    ours, theirs = (
        np.bincount(at, metric.loss(target[there], said[there])) / np.bincount(at) for said in (predictions, naive)
    )
    if ours.size < FIRST_DAY or not theirs.sum() > 0:
        return None
    above = lower_bounds(ours - limit * theirs) > 0
    first = int(above.argmax()) if above.any() else above.size - 1
    return PairedLoss(float(ours.sum() / theirs.sum()), limit, bool(above.any()), first + 1)


def lower_bounds(values: Floats, alpha: float = FALSE_ALARMS) -> Floats:
    """Of the mean of `values`, after each of them: together they hold with chance 1 - alpha, from FIRST_DAY on."""
    count = np.arange(1, values.size + 1)
    mean = np.cumsum(values) / count
    spread = np.sqrt(np.maximum(np.cumsum(values**2) / count - mean**2, 0) * count / np.maximum(count - 1, 1))
    tuned = (-2 * np.log(2 * alpha) + np.log(-2 * np.log(2 * alpha) + 1)) / TIGHTEST_AT_DAY
    grown = count * tuned + 1
    width = spread * np.sqrt(2 * grown / (count**2 * tuned) * np.log1p(np.sqrt(grown) / (2 * alpha)))
    return np.where(count < FIRST_DAY, -np.inf, mean - width)
