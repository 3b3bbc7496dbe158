"""Confidence intervals by day: rows of a day share their weather, so a day counts as one observation, not its rows.

The studentised bootstrap: days are drawn with replacement, every draw is measured against its own standard error, and
so the interval covers what it says from a dozen days on, where plain percentiles are a fifth too narrow. Each end is
the farther one of the equal-tailed interval, which suits skewed errors, and of the symmetric one, which suits areas: a
few days bias them. Everything that prints an interval of a metric, and the gate, takes it from here.

Source: Davison and Hinkley, "Bootstrap Methods and their Application" (1997), 2.4 and 5.2; Hall, "On Symmetric
Bootstrap Confidence Intervals" (1988); standard errors by the influence of each day, times n / (n - 1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import Metric
from ml.evaluation.scores import Interval

if TYPE_CHECKING:
    from ml.evaluation.metrics import Resampled

Floats = NDArray[np.float64]
Days = NDArray[np.int64]
CONFIDENCE = 0.95
MIN_DAYS = 5
"""Fewer days say nothing of how days differ."""


def interval(
    metric: Metric,
    actual: Floats,
    predicted: Floats,
    day: Days,
    *,
    samples: int,
    seed: int,
    confidence: float = CONFIDENCE,
) -> Interval | None:
    """Two-sided, of the metric; None with fewer than MIN_DAYS days, or where it does not exist. `day` is one a row."""
    days, block = np.unique(day, return_inverse=True)
    found = _studentised(metric.by_block(actual, predicted, block), days.size, samples, seed, confidence)
    if found is None:
        return None
    return Interval(low=max(found[0], metric.lowest), high=min(found[1], metric.highest))


def gain_interval(
    metric: Metric,
    actual: Floats,
    ours: Floats,
    theirs: Floats,
    day: Days,
    *,
    samples: int,
    seed: int,
    confidence: float = CONFIDENCE,
) -> Interval | None:
    """The same of `metric.gain`, both models on the same rows of each drawn day: what days share cancels."""
    days, block = np.unique(day, return_inverse=True)
    sides = (metric.by_block(actual, side, block) for side in (ours, theirs))
    found = _studentised(_gain(metric, *sides), days.size, samples, seed, confidence)
    return None if found is None else Interval(low=found[0], high=found[1])


def measure(metric: Metric, actual: Floats, predicted: Floats) -> float | None:
    """The metric itself, None where it does not exist (no rows, one class only, a value that is not finite)."""
    value = metric.value(actual, predicted) if len(actual) else np.nan
    return value if np.isfinite(value) else None


def _gain(metric: Metric, ours: Resampled, theirs: Resampled) -> Resampled:
    """`metric.gain` of two resampled metrics."""
    sign = 1.0 if metric.higher_is_better else -1.0

    def resampled(times: Floats) -> tuple[Floats, Floats]:
        (new, new_slopes), (old, old_slopes) = ours(times), theirs(times)
        slopes = new_slopes / old[:, None] - (new / old**2)[:, None] * old_slopes
        return sign * (new / old - 1), sign * slopes

    return resampled


def _studentised(
    resampled: Resampled, days: int, samples: int, seed: int, confidence: float
) -> tuple[float, float] | None:
    if days < MIN_DAYS:
        return None
    once = np.ones((1, days))
    times = np.random.default_rng(seed).multinomial(days, np.full(days, 1 / days), size=samples).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        value, error = (each[0] for each in _with_error(resampled, once))
        values, errors = _with_error(resampled, times)
        drawn = (values - value) / errors
    drawn = drawn[np.isfinite(drawn)]
    if not (np.isfinite(value) and np.isfinite(error)) or (error > 0 and 2 * drawn.size < samples):
        return None
    if error == 0 or not drawn.size:
        return float(value), float(value)
    tail = (1 - confidence) / 2
    above, below = np.quantile(drawn, [1 - tail, tail])
    even = np.quantile(np.abs(drawn), confidence)
    return float(value - max(above, even) * error), float(value + max(-below, even) * error)


def _with_error(resampled: Resampled, times: Floats) -> tuple[Floats, Floats]:
    """Values and standard errors of each row of `times`."""
    values, slopes = resampled(times)
    days = times.shape[1]
    return values, np.sqrt(days / (days - 1) * (times * slopes**2).sum(axis=1))
