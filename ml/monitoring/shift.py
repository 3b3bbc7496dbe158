"""Feature and prediction drift: distributions of the month against the reference's, by what they mean to the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd

from ml.models import ModelConfig
from ml.monitoring.columns import CategorySide, NumericSide, category, numeric
from ml.monitoring.drift import Floats
from ml.monitoring.harm import HARMFUL, Harm
from ml.monitoring.measures import Subject, measures_of
from ml.monitoring.verdict import Finding, Kind, Severity

Predict = Callable[[pd.DataFrame], Floats]
"""A model: rows of features in, one prediction a row out."""

WEIGHT_LIMITS = (0.5, 2.0)
"""No feature is wholly silent or all that counts: importance was measured on the reference, and says nothing of values
that the reference does not have."""

IMPORTANCE_ROWS = 1000


def importances(predict: Predict, reference: pd.DataFrame, features: tuple[str, ...], seed: int) -> dict[str, float]:
    """Mean absolute change of the prediction when a feature's values change places, as shares that add up to 1.

    Permutation importance (Breiman 2001) without labels: what matters here is what moves predictions.
    """
    rows = reference.sample(min(IMPORTANCE_ROWS, len(reference)), random_state=seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    usual = predict(rows)
    moved = {
        name: float(np.abs(predict(rows.assign(**{name: rows[name].to_numpy()[order]})) - usual).mean())
        for name in features
    }
    total = sum(moved.values())
    return {name: value / total if total else 1 / len(moved) for name, value in moved.items()}


def weights(importance: Mapping[str, float]) -> dict[str, float]:
    """How much sooner than usual (above 1) or later a feature's drift is an alarm: importance over its median."""
    middle = float(np.median(list(importance.values())))
    low, high = WEIGHT_LIMITS
    return {name: min(max(value / middle, low), high) if middle else 1.0 for name, value in importance.items()}


def feature_findings(
    config: ModelConfig,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    importance: Mapping[str, float],
    *,
    season_known: bool,
    harm: Harm,
) -> Iterator[Finding]:
    """One finding a measure, for each feature that has values on both sides: an alarm where the drift does harm.

    A feature declared seasonal is excused only in a season that the champion was trained on: one that has seen winters
    only does not know what July means.
    """
    weight = weights(importance)
    excused = config.drift.seasonal_features if season_known else ()
    for name in config.features.numeric:
        sides = numeric(reference[name]), numeric(current[name])
        yield from _compared(
            config, Subject.NUMERIC, name, *sides, weight=weight[name], seasonal=name in excused, harm=harm
        )
    for name in config.features.categorical:
        groups = category(reference[name]), category(current[name])
        yield from _compared(
            config, Subject.CATEGORICAL, name, *groups, weight=weight[name], seasonal=name in excused, harm=harm
        )


def prediction_findings(config: ModelConfig, reference: Floats, current: Floats) -> Iterator[Finding]:
    """Drift of what the champion says, labels or not: worth a look, since other flights have other answers."""
    sides = NumericSide(np.asarray(reference)), NumericSide(np.asarray(current))
    yield from _compared(config, Subject.PREDICTION, "prediction", *sides)


Side = TypeVar("Side", NumericSide, CategorySide)


def _compared(
    config: ModelConfig,
    subject: Subject,
    name: str,
    reference: Side,
    current: Side,
    *,
    weight: float = 1.0,
    seasonal: bool = False,
    harm: Harm = lambda _: 0.0,
) -> Iterator[Finding]:
    """Worth a look when a value reaches its limit, unless the feature is seasonal or its quantiles are stable; an
    alarm when it is expected to raise the error."""
    if subject is not Subject.PREDICTION and not (reference.size and current.size):
        return
    for measure, compare in measures_of(subject):
        seen = compare(reference, current, _comparisons(config))
        limit = min(max(config.drift.threshold(measure) / weight, seen.noise), measure.most)
        over = seen.value >= limit
        why = (
            " (declared seasonal)"
            if over and seasonal
            else " (one extreme value, the quantiles are stable)"
            if over and seen.stable
            else ""
        )
        detail = f", {seen.detail}" if seen.detail else ""
        loud = over and not seasonal and not seen.stable
        harmful = loud and harm(name) >= HARMFUL
        why = f", error expected to rise by {harm(name):.1%}" if loud and subject is not Subject.PREDICTION else why
        yield Finding(
            kind=Kind.PREDICTION if subject is Subject.PREDICTION else Kind.FEATURE,
            subject=name,
            measure=measure.name,
            value=seen.value,
            limit=limit,
            severity=Severity.ALARM if harmful else Severity.WARNING if loud else Severity.INFO,
            reason=f"{measure.name} {seen.value:.3f}, limit {limit:.3f}{detail}{why}",
        )


def _comparisons(config: ModelConfig) -> int:
    """How many comparisons of distributions a month is put through."""
    columns = {
        Subject.NUMERIC: len(config.features.numeric),
        Subject.CATEGORICAL: len(config.features.categorical),
        Subject.PREDICTION: 1,
    }
    return sum(count * len(measures_of(subject)) for subject, count in columns.items())
