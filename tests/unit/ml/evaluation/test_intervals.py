"""Metrics agree with scikit-learn's; intervals hold what they say, and are the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, mean_absolute_error, roc_auc_score, root_mean_squared_error

from ml.evaluation.intervals import interval, measure, weights
from ml.evaluation.metrics import LOG_LOSS, MAE, METRICS, RMSE, ROC_AUC, Metric

RNG = np.random.default_rng(3)
ACTUAL = RNG.normal(100, 30, 500)
PREDICTED = ACTUAL + RNG.normal(0, 8, 500)
LABELS = (RNG.random(500) < 0.3).astype(float)
CHANCES = np.round(np.clip(LABELS * 0.3 + RNG.random(500) * 0.6, 0.01, 0.99), 1)  # with ties


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (MAE, mean_absolute_error(ACTUAL, PREDICTED)),
        (RMSE, root_mean_squared_error(ACTUAL, PREDICTED)),
    ],
)
def test_errors_are_scikit_learn_s(metric: Metric, expected: float) -> None:
    assert measure(metric, ACTUAL, PREDICTED) == pytest.approx(expected, rel=1e-12)


def test_classification_metrics_are_scikit_learn_s() -> None:
    assert measure(ROC_AUC, LABELS, CHANCES) == pytest.approx(roc_auc_score(LABELS, CHANCES), rel=1e-12)
    assert measure(LOG_LOSS, LABELS, CHANCES) == pytest.approx(log_loss(LABELS, CHANCES), rel=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_the_area_with_ties_is_scikit_learn_s(rows: list[tuple[bool, int]]) -> None:
    labels, scores = np.array([float(label) for label, _ in rows]), np.array([float(score) for _, score in rows])
    area = measure(ROC_AUC, labels, scores)

    if labels.min() == labels.max():
        assert area is None
    else:
        assert area == pytest.approx(roc_auc_score(labels, scores))


@pytest.mark.parametrize("metric", METRICS.values(), ids=str)
def test_what_cannot_be_measured_is_none(metric: Metric) -> None:
    nothing = np.array([])

    assert measure(metric, nothing, nothing) is None
    assert measure(metric, LABELS, np.where(np.arange(500) == 7, np.nan, CHANCES)) is None


def test_the_interval_is_about_the_one_of_theory() -> None:
    low, high = interval(MAE, ACTUAL, PREDICTED, weights(500, 2000, seed=1)) or (0.0, 0.0)
    errors = np.abs(ACTUAL - PREDICTED)
    half = 1.96 * errors.std() / np.sqrt(500)

    assert low == pytest.approx(errors.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(errors.mean() + half, abs=0.1 * half)


def test_intervals_of_many_samples_hold_the_truth_as_often_as_they_say() -> None:
    """Coverage of the mean absolute error of a normal, whose truth is sqrt(2 / pi)."""
    rng = np.random.default_rng(11)
    truth, held = np.sqrt(2 / np.pi), 0
    for seed in range(200):
        errors = rng.normal(0, 1, 300)
        low, high = interval(MAE, errors, np.zeros(300), weights(300, 300, seed)) or (0.0, 0.0)
        held += low <= truth <= high

    assert 0.88 <= held / 200 <= 0.99


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    same = [interval(ROC_AUC, LABELS, CHANCES, weights(500, 200, seed)) for seed in (1, 1, 2)]

    assert same[0] == same[1] != same[2]


def test_one_class_has_no_interval_of_its_area() -> None:
    assert interval(ROC_AUC, np.ones(20), CHANCES[:20], weights(20, 50, 0)) is None
