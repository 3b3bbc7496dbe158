"""What a drifted feature costs, before any label: how far predictions move when it is mapped back to the reference.

Numbers are mapped by their ranks onto the reference's quantiles, categories and nulls that have become more frequent
are drawn anew from those that have become rarer. Where the prediction moves by d, the error is expected to rise by
E|e + d| - E|e| for a normal error e of the usual size (regression), by d squared (the Brier score of a probability).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from scipy import stats

from ml.models import ModelConfig, TaskKind
from ml.monitoring.drift import Floats

Harm = Callable[[str], float]
"""Of a feature: the rise of the error that its drift is expected to bring, as a share of the usual error."""

HARMFUL = 0.05
"""Half of the ten per cent that matter: the estimate is made of the model's own answers, which see part of a shift."""

ROWS = 4000


def harm_of(
    config: ModelConfig,
    predict: Callable[[pd.DataFrame], Floats],
    reference: pd.DataFrame,
    current: pd.DataFrame,
    usual_error: float,
) -> Harm:
    """The harm of each feature of `current`; computed when it is asked for, once."""
    current = current.reset_index(drop=True)
    rows = current.sample(min(ROWS, len(current)), random_state=config.training.seed)
    usual = predict(rows)

    @cache
    def harm(name: str) -> float:
        rng = np.random.default_rng(config.training.seed)
        back = _numbers if name in config.features.numeric else _categories
        mapped = pd.Series(back(reference[name], current[name], rng), index=current.index).loc[rows.index]
        moved = np.abs(predict(rows.assign(**{name: mapped})) - usual)
        if config.task is TaskKind.CLASSIFICATION:
            return float((moved**2).mean() / max((usual * (1 - usual)).mean(), 1e-9))
        return float(_rise(moved, usual_error).mean() / usual_error)

    return harm


def _rise(moved: Floats, usual_error: float) -> Floats:
    """E|e + d| - E|e|, the mean of a folded normal distribution less that of a half-normal one."""
    spread = usual_error * np.sqrt(np.pi / 2)
    folded = usual_error * np.exp(-0.5 * (moved / spread) ** 2) + moved * (1 - 2 * stats.norm.cdf(-moved / spread))
    return np.asarray(folded - usual_error)


def _numbers(reference: pd.Series, current: pd.Series, rng: np.random.Generator) -> Floats:
    known, values = (pd.to_numeric(side, errors="coerce").to_numpy(dtype=np.float64) for side in (reference, current))
    null_rate = float(np.isnan(known).mean())
    known = np.sort(known[np.isfinite(known)])
    if not known.size:
        return values
    values = values.copy()
    there = np.isfinite(values)
    if there.any():
        among = np.sort(values[there])
        ranks = (np.searchsorted(among, values[there], "left") + np.searchsorted(among, values[there], "right")) / 2
        values[there] = np.quantile(known, ranks / among.size)
    excess = max((~there).mean() - null_rate, 0.0)
    filled = ~there & (rng.random(values.size) < excess / max((~there).mean(), 1e-9))
    values[filled] = rng.choice(known, int(filled.sum()))
    return values


def _categories(reference: pd.Series, current: pd.Series, rng: np.random.Generator) -> pd.Series:
    names, before = reference.astype(object), reference.astype(object).value_counts(normalize=True, dropna=False)
    now = current.astype(object).value_counts(normalize=True, dropna=False)
    both = before.index.union(now.index, sort=False) if not before.index.equals(now.index) else before.index
    grown = now.reindex(both, fill_value=0.0) - before.reindex(both, fill_value=0.0)
    rarer = (-grown).clip(lower=0)
    values = current.astype(object).to_numpy(copy=True)
    if not rarer.sum() > 0 or names.empty:
        return pd.Series(values, index=current.index)
    drop = (grown.clip(lower=0) / now.reindex(both)).fillna(0.0)
    share = drop.reindex(pd.Index(values, dtype=object)).fillna(0.0).to_numpy()
    replaced = rng.random(values.size) < share
    values[replaced] = rng.choice(both.to_numpy(), int(replaced.sum()), p=(rarer / rarer.sum()).to_numpy())
    return pd.Series(values, index=current.index).astype(current.dtype)
