"""A classifier's answers made probabilities: Platt's line over weeks that the trees have not seen, in their leaves.

The trees of all rows keep their ranks; their raw sums are stretched by what trees of half the weeks needed on the other
half. Not on the last days alone: one season's share of positives would become every season's. The line lies in the
leaves' values and the start value, so that whatever scores the trees scores it too.

Source: Platt, "Probabilistic Outputs for Support Vector Machines" (1999); Niculescu-Mizil and Caruana, "Predicting Good
Probabilities with Supervised Learning" (2005).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FOLDS = 2
BLOCK_DAYS = 7
"""Weeks are left out in turn: neighbouring days resemble each other, and every season is in both parts."""
STEPS = 50


def calibrate(
    pipeline: Any, rows: pa.Table, train: Callable[[pa.Table], Any], raw: Callable[[Any, pa.Table], Floats]
) -> None:
    """Stretch a pipeline that was trained on `rows` (with `target`, `day_number`); `train` makes one of fewer rows.

    Left as it is when a part is of one class only.
    """
    target = rows["target"].to_numpy()
    part = rows["day_number"].to_numpy() // BLOCK_DAYS % FOLDS
    sums = np.zeros(len(rows))
    for left_out in (part == number for number in range(FOLDS)):
        if any(np.unique(target[side]).size < 2 for side in (left_out, ~left_out)):
            return
        sums[left_out] = raw(train(rows.filter(pa.array(~left_out))), rows.filter(pa.array(left_out)))
    fold(pipeline[-1], *platt(sums, target))


def platt(raw: Floats, target: Floats) -> tuple[float, float]:
    """Slope and start of the logistic line through raw sums; (1, 0) if it does not rise. Newton's method, steps halved.

    Targets are drawn in a little, as Platt does, so that separable rows have a line too.
    """
    positive = target.sum()
    wanted = np.where(target > 0.5, (positive + 1) / (positive + 2), 1 / (len(target) - positive + 2))
    design, line = np.column_stack([raw, np.ones_like(raw)]), np.zeros(2)

    def loss(at: Floats) -> float:
        sums = design @ at
        return float((np.logaddexp(0, sums) - wanted * sums).sum())

    for _ in range(STEPS):
        chance = np.exp(-np.logaddexp(0, -design @ line))
        curvature = design.T @ ((chance * (1 - chance))[:, None] * design) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, design.T @ (chance - wanted))
        while loss(line - step) > loss(line) and np.abs(step).max() > 1e-10:
            step /= 2
        line = line - step
        if np.abs(step).max() < 1e-10:
            break
    return (float(line[0]), float(line[1])) if np.isfinite(line).all() and line[0] > 0 else (1.0, 0.0)


def fold(trees: Any, slope: float, start: float) -> None:
    """Put the line into a fitted HistGradientBoostingClassifier: raw sums become slope x raw + start."""
    for iteration in trees._predictors:
        for predictor in iteration:
            predictor.nodes["value"] *= slope
    trees._baseline_prediction = trees._baseline_prediction * slope + start
