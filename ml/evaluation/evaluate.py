"""Challenger and champion on the same held-out rows: overall, by slice, with intervals; and what the model looks at."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ml.evaluation.answers import Answers
from ml.evaluation.intervals import interval, measure, weights
from ml.evaluation.metrics import Metric, metrics_of
from ml.evaluation.scores import Importance, Interval, Role, Score, SliceScore
from ml.evaluation.slices import slices
from ml.models import ModelConfig

Floats = NDArray[np.float64]
IMPORTANCE_ROWS = 2000
IMPORTANCE_REPEATS = 3


class Subject(BaseModel):
    """Whose predictions are scored, and on which rows."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    role: Role
    model_hash: str
    holdout_hash: str
    trained_until: str | None
    holdout_from: str | None


def score(config: ModelConfig, subject: Subject, rows: pa.Table, predicted: Floats) -> Score:
    """The gate's metric overall and by slice with 95 % intervals; the task's other metrics beside it."""
    actual = rows["target"].to_numpy()
    metric = config.gate.metric
    drawn = weights(len(rows), config.gate.bootstrap_samples, config.training.seed)
    others = {str(other): measure(other, actual, predicted) for other in metrics_of(config.task) if other is not metric}
    parts = [
        SliceScore(
            dimension=dimension,
            value=value,
            rows=len(at),
            metric=measure(metric, actual[at], predicted[at]),
            interval=_interval(metric, actual[at], predicted[at], drawn[:, at]),
        )
        for dimension in config.gate.slices
        for value, at in slices(rows, dimension, config.gate.min_slice_rows).items()
    ]
    return Score(
        **dict(subject),
        rows=len(rows),
        name=str(metric),
        metric=measure(metric, actual, predicted),
        interval=_interval(metric, actual, predicted, drawn),
        slices=tuple(parts),
        others={name: value for name, value in others.items() if value is not None},
    )


def importance(config: ModelConfig, model: Answers, rows: pa.Table) -> tuple[Importance, ...]:
    """Permutation importance of every feature on a seeded sample of `rows`, largest first (Breiman, 2001)."""
    rng = np.random.default_rng(config.training.seed)
    sample = rows.take(np.sort(rng.choice(len(rows), min(IMPORTANCE_ROWS, len(rows)), replace=False)))
    actual, matrix = sample["target"].to_numpy(), model.matrix(sample)
    base = _badness(config.gate.metric, actual, model.predict(matrix))
    found = []
    for column, name in enumerate(model.features):
        worse = []
        for _ in range(IMPORTANCE_REPEATS):
            shuffled = matrix.copy()
            shuffled[:, column] = matrix[rng.permutation(len(matrix)), column]
            worse.append(_badness(config.gate.metric, actual, model.predict(shuffled)) - base)
        found.append(Importance(feature=name, mean=float(np.mean(worse)), spread=float(np.std(worse))))
    return tuple(sorted(found, key=lambda each: -each.mean))


def _badness(metric: Metric, actual: Floats, predicted: Floats) -> float:
    value = measure(metric, actual, predicted)
    return float("nan") if value is None else -value if metric.higher_is_better else value


def _interval(metric: Metric, actual: Floats, predicted: Floats, drawn: Floats) -> Interval | None:
    bounds = interval(metric, actual, predicted, drawn) if len(actual) else None
    return Interval(low=bounds[0], high=bounds[1]) if bounds else None
