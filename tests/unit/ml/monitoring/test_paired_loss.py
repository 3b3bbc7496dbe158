"""The confidence sequence against its promise, and the paired loss where a plain one is blind."""

from __future__ import annotations

import numpy as np
import pytest

from ml.evaluation.metrics import MAE, ROC_AUC
from ml.monitoring.paired_loss import FIRST_DAY, PairedLoss, lower_bounds, paired_loss

DAY = np.repeat(np.arange(30), 200)


@pytest.mark.parametrize(("shape", "most"), [("normal", 0.01), ("long above", 0.01), ("long below", 0.04)])
def test_the_bounds_hold_on_all_days_together(shape: str, most: float) -> None:
    """Months whose mean is 0: one in a hundred may be above on any day, where the days' losses have a long tail."""
    rng = np.random.default_rng(1)
    skewed = rng.gamma(4, 1, (3000, 31)) - 4
    draw = {"normal": rng.normal(0, 2, (3000, 31)), "long above": skewed, "long below": -skewed}[shape]
    assert np.mean([(lower_bounds(values) > 0).any() for values in draw]) <= most


def test_a_test_for_one_day_that_is_made_every_day_does_not_hold() -> None:
    """The control: 2.33 standard errors, which hold at one in a hundred for one day."""
    draw = np.random.default_rng(1).normal(0, 2, (3000, 31))
    days = np.arange(1, 32)
    above = np.cumsum(draw, axis=1) / np.sqrt(days) / 2 > 2.33
    assert above[:, FIRST_DAY:].any(axis=1).mean() > 0.02


def month(model_error: float, naive_error: float, *, storms: bool = True, seed: int = 2) -> PairedLoss | None:
    """Errors by day share their storms."""
    rng = np.random.default_rng(seed)
    storm = rng.gamma(4, 1 / 4, 30)[DAY] if storms else 1.0
    size = storm * rng.exponential(1, DAY.size)
    said = model_error * size, naive_error * storm * rng.exponential(1, DAY.size)
    return paired_loss(MAE, np.zeros(DAY.size), *said, DAY, limit=0.95)


def test_a_model_that_lost_a_tenth_against_the_naive_feature_is_found_under_any_weather() -> None:
    for seed in range(10):
        usual, stormy, worse = month(6.0, 7.0, seed=seed), month(12.0, 14.0, seed=seed), month(7.7, 7.0, seed=seed)
        assert usual is not None
        assert not usual.above
        assert stormy is not None
        assert not stormy.above
        assert worse is not None
        assert worse.above
        assert FIRST_DAY <= worse.day <= 30
        assert worse.ratio == pytest.approx(1.1, rel=0.05)


def test_too_few_days_and_metrics_that_are_no_mean_of_rows_say_nothing() -> None:
    few = DAY < FIRST_DAY - 1
    zeros = np.zeros(DAY.size)
    assert paired_loss(MAE, zeros[few], zeros[few] + 9, zeros[few] + 1, DAY[few], 0.9) is None
    assert paired_loss(ROC_AUC, (DAY % 2).astype(float), zeros, zeros, DAY, 0.9) is None
    assert paired_loss(MAE, zeros, zeros, zeros + np.nan, DAY, 0.9) is None
