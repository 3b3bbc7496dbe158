"""Confidence intervals of a metric by the Poisson bootstrap: every sample weights every row once, all in one product.

Poisson(1) weights stand in for drawing with replacement (Chamandy et al., "Estimating uncertainty for massive data
streams", 2012), so overall and slices share one weight matrix.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.metrics import Metric

Floats = NDArray[np.float64]
CONFIDENCE = 0.95


def weights(rows: int, samples: int, seed: int) -> Floats:
    """`samples` x `rows` weights; the same seed gives the same."""
    return np.random.default_rng(seed).poisson(1.0, (samples, rows)).astype(np.float64)


def interval(metric: Metric, actual: Floats, predicted: Floats, drawn: Floats) -> tuple[float, float] | None:
    """Bounds that hold CONFIDENCE of the weighted metrics; None when none of the samples admits the metric.

    `actual` and `predicted` are of the rows, `drawn` has a column a row.
    """
    values = metric.weighted(actual, predicted, drawn)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def measure(metric: Metric, actual: Floats, predicted: Floats) -> float | None:
    """The metric itself, None where it does not exist (no rows, one class only, a value that is not finite)."""
    if not len(actual):
        return None
    value = float(metric.weighted(actual, predicted, np.ones((1, len(actual))))[0])
    return value if np.isfinite(value) else None
