"""Metrics agree with scikit-learn's; intervals hold what they say, and are the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from ml.evaluation.intervals import gain_interval, interval, measure
from ml.evaluation.metrics import AVERAGE_PRECISION, BRIER, LOG_LOSS, MAE, METRICS, RMSE, ROC_AUC, Metric
from ml.evaluation.scores import Interval

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


def test_average_precision_is_scikit_learn_s() -> None:
    assert measure(AVERAGE_PRECISION, LABELS, CHANCES) == pytest.approx(average_precision_score(LABELS, CHANCES))
    assert measure(BRIER, LABELS, CHANCES) == pytest.approx(brier_score_loss(LABELS, CHANCES), rel=1e-12)


@pytest.mark.parametrize("metric", METRICS.values(), ids=str)
def test_the_slopes_of_a_resampled_metric_are_its_differences(metric: Metric) -> None:
    """The standard error of every draw comes from them; a day drawn a little more often must move the metric so."""
    day = np.arange(500) % 7
    resampled = metric.by_block(LABELS, CHANCES, day)
    times = np.random.default_rng(1).multinomial(7, [1 / 7] * 7, size=3).astype(float) + 0.5
    values, slopes = resampled(times)

    for one in range(7):
        step = np.zeros((1, 7))
        step[0, one] = 1e-5
        change = (resampled(times + step)[0] - resampled(times - step)[0]) / 2e-5
        assert slopes[:, one] == pytest.approx(change, rel=1e-4, abs=1e-8)
    whole = metric.by_block(LABELS, CHANCES, day)(np.ones((1, 7)))[0][0]
    assert whole == pytest.approx(metric.value(LABELS, CHANCES), rel=1e-9)
    assert values.shape == (3,)


@pytest.mark.parametrize("metric", [ROC_AUC, AVERAGE_PRECISION], ids=str)
def test_of_many_predictions_neighbours_count_as_ties(metric: Metric) -> None:
    rng = np.random.default_rng(5)
    labels = (rng.random(25_000) < 0.2).astype(float)
    scores = 0.3 * labels + rng.normal(size=25_000)
    exact = {"roc_auc": roc_auc_score, "average_precision": average_precision_score}[str(metric)](labels, scores)

    values, _ = metric.by_block(labels, scores, np.arange(25_000) % 12)(np.ones((1, 12)))

    assert values[0] == pytest.approx(exact, rel=2e-3)


def drawn(rng: np.random.Generator, days: int, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses of `days` days that share their weather, and the day of each; the true mean is 7."""
    rows = rng.integers(40, 80, days)
    level = 7 * np.exp(spread * rng.normal(size=days) - spread**2 / 2)
    return np.repeat(level, rows) * rng.gamma(2, 0.5, rows.sum()), np.repeat(np.arange(days), rows)


def test_rows_of_a_day_count_as_one_observation() -> None:
    """The interval is about as wide as the days' means say (t with 11 degrees), and far wider than the rows would."""
    losses, day = drawn(np.random.default_rng(2), 12, 0.6)
    means = np.array([losses[day == each].mean() for each in range(12)])
    found = interval(MAE, losses, np.zeros(losses.size), day, samples=2000, seed=1)

    assert found is not None
    wanted = 2.2 * means.std(ddof=1) / np.sqrt(12)
    assert (found.high - found.low) / 2 == pytest.approx(wanted, rel=0.25)
    assert (found.high - found.low) / 2 > 3 * 1.96 * losses.std() / np.sqrt(losses.size)


def coverage(draws: int, days: int) -> dict[str, float]:
    """How often intervals by day hold the truth: of an error, a gain, an area, each of its own drawn days."""
    rng, held = np.random.default_rng(11), {"mae": 0, "gain": 0, "roc_auc": 0}
    truth_gain, truth_area = drawn_truths()
    for seed in range(draws):
        losses, day = drawn(rng, days, 0.3)
        zero = np.zeros(losses.size)
        ours, other = losses * 0.97, losses * np.repeat(rng.uniform(0.9, 1.1, days), np.bincount(day))
        found = interval(MAE, losses, zero, day, samples=500, seed=seed)
        held["mae"] += found is not None and found.low <= 7 <= found.high
        found = gain_interval(MAE, zero, ours, other, day, samples=500, seed=seed)
        held["gain"] += found is not None and found.low <= truth_gain <= found.high
        labels, scores, day = drawn_classes(rng, days)
        found = interval(ROC_AUC, labels, scores, day, samples=500, seed=seed)
        held["roc_auc"] += found is not None and found.low <= truth_area <= found.high
    return {name: count / draws for name, count in held.items()}


def drawn_classes(rng: np.random.Generator, days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels whose share and whose scores move with the day, as delays do."""
    rows = rng.integers(60, 120, days)
    day = np.repeat(np.arange(days), rows)
    share, shift = rng.beta(4, 12, days)[day], rng.normal(0, 0.4, days)[day]
    labels = (rng.random(day.size) < share).astype(float)
    return labels, 0.8 * labels + shift + rng.normal(size=day.size), day


def drawn_truths() -> tuple[float, float]:
    """Of the same worlds over very many days: 1 - 0.97 / E[factor], and the area."""
    labels, scores, _ = drawn_classes(np.random.default_rng(1), 20_000)
    return 0.03, roc_auc_score(labels, scores)


@pytest.mark.prove(every=0)
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    found = coverage(2000, 12)

    assert all(0.93 <= share <= 0.97 for share in found.values()), found


def test_intervals_of_some_draws_hold_the_truth_about_as_often_as_they_say() -> None:
    """150 draws: 0.95 give or take three standard errors of 0.018."""
    found = coverage(150, 12)

    assert all(0.89 <= share <= 1.0 for share in found.values()), found


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    day = np.arange(500) % 9
    same = [interval(ROC_AUC, LABELS, CHANCES, day, samples=200, seed=seed) for seed in (1, 1, 2)]

    assert same[0] == same[1] != same[2]


def test_an_interval_stays_within_what_the_metric_can_be() -> None:
    """A day with an error of a thousand: the lower end would be negative."""
    losses = np.r_[np.full(40, 0.1), np.full(10, 1000.0)]
    found = interval(MAE, losses, np.zeros(50), np.arange(50) // 10, samples=500, seed=1)

    assert found is not None
    assert found.low == 0.0


def test_a_constant_error_has_an_interval_of_no_width() -> None:
    found = interval(MAE, np.full(60, 3.0), np.zeros(60), np.arange(60) // 10, samples=200, seed=1)

    assert found == Interval(low=3.0, high=3.0)


@pytest.mark.parametrize("days", [0, 1, 4])
def test_a_few_days_have_no_interval(days: int) -> None:
    rows = 10 * days
    assert interval(MAE, np.ones(rows), np.zeros(rows), np.arange(rows) // 10, samples=200, seed=1) is None


def test_one_class_has_no_interval_of_its_area() -> None:
    assert interval(ROC_AUC, np.ones(50), CHANCES[:50], np.arange(50) % 6, samples=50, seed=0) is None


def test_equal_models_have_no_gain_over_each_other() -> None:
    found = gain_interval(MAE, ACTUAL, PREDICTED, PREDICTED, np.arange(500) % 9, samples=200, seed=1)

    assert found == Interval(low=0.0, high=0.0)


def test_a_wider_confidence_gives_a_wider_interval() -> None:
    day, rng = np.arange(500) % 12, np.random.default_rng(4)
    other = ACTUAL + rng.normal(0, 9, 500)
    widths = []
    for confidence in (0.8, 0.95, 0.998):
        found = gain_interval(MAE, ACTUAL, PREDICTED, other, day, samples=4000, seed=1, confidence=confidence)
        assert found is not None
        widths.append(found.high - found.low)

    assert widths == sorted(widths)
    assert widths[0] < widths[1] < widths[2]
