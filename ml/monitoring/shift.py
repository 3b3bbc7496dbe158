"""Feature and prediction drift: distributions of the month against the reference's, by what they mean to the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd

from ml.models import ModelConfig
from ml.monitoring.columns import NumericSide, category, numeric, stability
from ml.monitoring.drift import BUCKETS, Floats, jensen_shannon, jensen_shannon_categories, l_infinity
from ml.monitoring.limits import divergence_noise, psi_noise, share_noise
from ml.monitoring.verdict import Finding, Kind, Severity

Predict = Callable[[pd.DataFrame], Floats]
"""A model: rows of features in, one prediction a row out."""

STABLE_PSI = 0.1
"""Customary: below it a distribution counts as stable. Jensen-Shannon over TFDV's buckets jumps when one extreme value
moves their boundaries (a single large aircraft); the quantile bins of PSI do not, so an alarm needs both."""

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
) -> Iterator[Finding]:
    """One finding a feature that has values on both sides.

    A feature declared seasonal is excused only in a season that the champion was trained on: one that has seen winters
    only does not know what July means.
    """
    weight = weights(importance)
    excused = config.drift.seasonal_features if season_known else ()
    tests = len(config.features.names) + 1
    for name in config.features.numeric:
        before, after = numeric(reference[name]), numeric(current[name])
        if before.known.size and after.known.size:
            limit = config.drift.feature_js / weight[name]
            yield _numeric(Kind.FEATURE, name, before, after, limit, tests, name in excused)
    for name in config.features.categorical:
        sides = category(reference[name]), category(current[name])
        if sides[0].size and sides[1].size:
            noise = share_noise(0.5, sides[0].size, sides[1].size, tests * len(sides[0].counts))
            distance = l_infinity(sides[0].counts, sides[1].counts)
            divergence = jensen_shannon_categories(sides[0].counts, sides[1].counts)
            yield _finding(
                Kind.FEATURE,
                name,
                "l_infinity",
                distance,
                min(max(config.drift.category_linf / weight[name], noise), 1.0),
                seasonal=name in excused,
                stable=False,
                also=f"Jensen-Shannon {divergence:.3f}",
            )


def prediction_finding(config: ModelConfig, reference: Floats, current: Floats) -> Finding:
    """Drift of what the champion says, labels or not."""
    tests = len(config.features.names) + 1
    sides = NumericSide(np.asarray(reference)), NumericSide(np.asarray(current))
    return _numeric(Kind.PREDICTION, "prediction", *sides, config.drift.prediction_js, tests, seasonal=False)


def _numeric(
    kind: Kind, name: str, reference: NumericSide, current: NumericSide, limit: float, tests: int, seasonal: bool
) -> Finding:
    sizes = reference.known.size, current.known.size
    moved = stability(reference, current)
    return _finding(
        kind,
        name,
        "jensen_shannon",
        jensen_shannon(reference.buckets, current.buckets),
        min(max(limit, divergence_noise(*sizes, 2 * BUCKETS, tests)), 1.0),
        seasonal=seasonal,
        stable=moved < max(STABLE_PSI, psi_noise(*sizes, BUCKETS, tests)),
        also=f"PSI {moved:.2f}",
    )


def _finding(
    kind: Kind, name: str, measure: str, value: float, limit: float, *, seasonal: bool, stable: bool, also: str
) -> Finding:
    """An alarm when `value` reaches `limit`, unless the feature is seasonal or its quantiles are stable."""
    over = value >= limit
    why = (
        " (declared seasonal)"
        if over and seasonal
        else " (one extreme value, the quantiles are stable)"
        if over and stable
        else ""
    )
    return Finding(
        kind=kind,
        subject=name,
        measure=measure,
        value=value,
        limit=limit,
        severity=Severity.ALARM if over and not seasonal and not stable else Severity.INFO,
        reason=f"{measure} {value:.3f}, limit {limit:.3f}, {also}{why}",
    )
