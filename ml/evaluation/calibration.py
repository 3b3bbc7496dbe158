"""Is what a classifier calls a probability one? Predictions beside what happened, in bins of equal count.

Source: Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning" (2015), expected calibration
error; bins of equal count instead of equal width (Nixon et al., "Measuring Calibration in Deep Learning", 2019).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.scores import CalibrationBin

Floats = NDArray[np.float64]
BINS = 10


def calibration_bins(actual: Floats, predicted: Floats, bins: int = BINS) -> tuple[CalibrationBin, ...]:
    """Rows by rising prediction, in `bins` parts that differ by one row at most; empty parts are left out."""
    parts = (part for part in np.array_split(np.argsort(predicted, kind="stable"), bins) if part.size)
    return tuple(
        CalibrationBin(rows=part.size, predicted=float(predicted[part].mean()), actual=float(actual[part].mean()))
        for part in parts
    )


def calibration_error(actual: Floats, predicted: Floats, bins: int = BINS) -> float | None:
    """Mean distance between what was predicted and what happened over the bins, by rows; None without rows."""
    if not len(actual) or not np.isfinite(predicted).all():
        return None
    found = calibration_bins(actual, predicted, bins)
    return sum(each.rows * abs(each.predicted - each.actual) for each in found) / len(actual)
