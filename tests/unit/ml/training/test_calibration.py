"""A classifier's answers are probabilities also on rows that it has not seen, in whatever scores it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

from ml.evaluation.answers import read_answers
from ml.evaluation.calibration import calibration_bins, calibration_error
from ml.evaluation.metrics import BRIER
from ml.models import ModelConfig, load_model
from ml.training import artefact
from ml.training.calibration import platt
from ml.training.fit import build_pipeline, fit, frame, predict


def rows(seed: int, days: int) -> pa.Table:
    """25 rows a day; the label leans on the hour, everything else is noise that trees can learn by heart."""
    rng = np.random.default_rng(seed)
    size = 25 * days
    hour = rng.uniform(0, 24, size)
    chance = 1 / (1 + np.exp(-(hour - 14) / 4))
    noise = {name: rng.normal(size=size) for name in ("distance", "temp")}
    return pa.table(
        {
            "sched_dep_min": 60 * hour, **noise,
            **{name: rng.choice(["a", "b", "c"], size) for name in ("origin", "dest", "carrier")},
            "day_number": np.repeat(np.arange(days), 25),
            "target": (rng.random(size) < chance).astype(np.float64),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def config() -> ModelConfig:
    late = load_model("late_arrival")
    features = late.features.model_copy(
        update={"numeric": ("sched_dep_min", "distance", "temp"), "categorical": ("origin", "dest", "carrier")}
    )
    trees = late.training.hyperparameters.model_copy(update={"max_iter": 150, "min_samples_leaf": 5})
    training = late.training.model_copy(update={"hyperparameters": trees, "feed_outages": 0.0})
    return late.model_copy(update={"features": features, "training": training})


def test_the_line_is_that_of_a_logistic_regression() -> None:
    rng = np.random.default_rng(1)
    raw = rng.normal(-1, 2, 5000)
    target = (rng.random(5000) < 1 / (1 + np.exp(-(0.6 * raw - 0.3)))).astype(float)
    witness = LogisticRegression(C=np.inf).fit(raw[:, None], target)

    assert platt(raw, target) == pytest.approx((witness.coef_[0, 0], witness.intercept_[0]), abs=5e-3)


@pytest.mark.parametrize("target", [np.r_[np.ones(50), np.zeros(50)], np.tile([0.0, 1.0], 50)], ids=["falls", "flat"])
def test_sums_that_do_not_rise_with_the_labels_are_left_alone(target: np.ndarray) -> None:
    raw = np.linspace(-1, 1, 100) if target[0] else np.zeros(100)

    slope, _ = platt(raw, target)

    assert slope > 0


def test_separable_labels_have_a_finite_line() -> None:
    slope, start = platt(np.r_[np.full(20, -2.0), np.full(20, 2.0)], np.r_[np.zeros(20), np.ones(20)])

    assert 1 < slope < 3
    assert start == pytest.approx(0, abs=1e-6)


def test_what_learned_by_heart_answers_with_probabilities(config: ModelConfig, tmp_path: Path) -> None:
    train, fresh = rows(1, 42), rows(2, 200)
    asked, actual = frame(fresh, config.features.names), fresh["target"].to_numpy()
    plain = build_pipeline(config).fit(frame(train, config.features.names), train["target"].to_numpy())
    made = fit(config, train)
    before, after = predict(plain, asked), predict(made, asked)

    assert BRIER.value(actual, after) < BRIER.value(actual, before)
    assert (calibration_error(actual, after) or 1) < 0.75 * (calibration_error(actual, before) or 0)
    assert np.array_equal(np.argsort(before, kind="stable"), np.argsort(after, kind="stable"))

    folder = tmp_path / "challenger"
    answers = read_answers(folder, model=config.name, files=artefact.save(config, made, train, folder).files)
    assert np.abs(answers.predict(answers.matrix(fresh)) - after).max() <= 1e-9


def test_weeks_of_one_class_leave_the_trees_as_they_are(config: ModelConfig) -> None:
    train = rows(1, 28)
    odd_weeks = train["day_number"].to_numpy() // 7 % 2
    place = train.column_names.index("target")
    split = train.set_column(place, "target", pa.array(odd_weeks.astype(np.float64)))
    asked = frame(split, config.features.names)

    plain = build_pipeline(config).fit(asked, split["target"].to_numpy())

    assert np.array_equal(predict(fit(config, split), asked), predict(plain, asked))


def test_the_error_is_the_distance_of_what_was_said_from_what_happened() -> None:
    actual, said = np.tile([0.0, 0.0, 0.0, 1.0], 100), np.full(400, 0.35)

    assert calibration_error(actual, said) == pytest.approx(0.1)
    assert calibration_error(actual, np.full(400, 0.25)) == pytest.approx(0.0)
    assert calibration_error(actual[:0], said[:0]) is None
    assert [each.rows for each in calibration_bins(actual[:25], said[:25])] == [3] * 5 + [2] * 5
