"""The expected rise of the error against the one that comes about, for a model that is known exactly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from ml.models import ModelConfig, load_model
from ml.monitoring.drift import Floats
from ml.monitoring.harm import HARMFUL, harm_of

PACE = {"slow": 20.0, "usual": 0.0, "fast": -20.0}
SPREAD = 5.0
USUAL = SPREAD * np.sqrt(2 / np.pi)


@pytest.fixture(scope="module")
def config() -> ModelConfig:
    model = load_model("air_time")
    features = model.features.model_copy(update={"numeric": ("distance", "temp"), "categorical": ("carrier",)})
    return model.model_copy(update={"features": features})


def rows(seed: int, count: int = 20_000) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"distance": rng.gamma(4, 200, count), "temp": rng.normal(50, 15, count)})
    frame["carrier"] = rng.choice(list(PACE), count, p=[0.2, 0.5, 0.3])
    return frame.assign(target=predict(frame) + rng.normal(0, SPREAD, count))


def predict(frame: pd.DataFrame) -> np.ndarray:
    """Does not look at the temperature; an unknown carrier, or none, is a usual one, an unknown distance 800 miles."""
    pace = frame["carrier"].map(PACE).astype(float).fillna(0.0)
    return (frame["distance"].fillna(800) / 8 + pace).to_numpy()


SHIFTS: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "another unit": ("distance", lambda frame: frame.assign(distance=frame.distance * 1.609)),
    "an offset": ("distance", lambda frame: frame.assign(distance=frame.distance + 40)),
    "nulls": ("distance", lambda frame: frame.assign(distance=frame.distance.mask(frame.index % 5 == 0))),
    "nulls only": ("distance", lambda frame: frame.assign(distance=np.nan)),
    "a constant": ("distance", lambda frame: frame.assign(distance=500.0)),
    "a renamed category": ("carrier", lambda frame: frame.assign(carrier=frame.carrier.replace("slow", "new"))),
    "lost categories": ("carrier", lambda frame: frame.assign(carrier=frame.carrier.mask(frame.index % 3 == 0))),
}


@pytest.mark.parametrize("name", SHIFTS)
def test_harm_is_seen_before_labels_where_labels_would_show_it(config: ModelConfig, name: str) -> None:
    feature, shift = SHIFTS[name]
    usual = rows(2)
    shifted = shift(usual)
    rise = float(np.abs(predict(shifted) - usual.target).mean()) / USUAL - 1
    expected = harm_of(config, predict, rows(1), shifted, USUAL)(feature)
    assert rise > 0.1
    assert expected > HARMFUL


def test_the_expected_rise_of_another_unit_is_the_one_that_comes_about(config: ModelConfig) -> None:
    """Ranks give every value back, but for the two draws of 20,000."""
    usual = rows(2)
    for factor in (1.05, 1.2, 1.609):
        shifted = usual.assign(distance=usual.distance * factor)
        rise = float(np.abs(predict(shifted) - usual.target).mean() / np.abs(predict(usual) - usual.target).mean()) - 1
        assert harm_of(config, predict, rows(1), shifted, USUAL)("distance") == pytest.approx(rise, rel=0.15, abs=0.01)


def test_what_the_model_does_not_look_at_and_what_has_not_moved_do_no_harm(config: ModelConfig) -> None:
    current = rows(2)
    hot = harm_of(config, predict, rows(1), current.assign(temp=current.temp * 3), USUAL)
    assert hot("temp") == 0
    assert hot("distance") < HARMFUL / 2
    assert hot("carrier") < HARMFUL / 2


def test_a_probability_s_harm_is_in_brier_s_units(config: ModelConfig) -> None:
    classifier = load_model("late_arrival")
    classifier = classifier.model_copy(update={"features": config.features})

    def chance(frame: pd.DataFrame) -> Floats:
        return (frame["distance"].fillna(800) / 4000).clip(0.02, 0.98).to_numpy(dtype=np.float64)

    usual = rows(2)
    shifted = usual.assign(distance=usual.distance * 2)
    rise = ((chance(shifted) - chance(usual)) ** 2).mean() / (chance(usual) * (1 - chance(usual))).mean()
    expected = harm_of(classifier, chance, rows(1), shifted, 0.1)("distance")
    assert expected == pytest.approx(rise, rel=0.3)
