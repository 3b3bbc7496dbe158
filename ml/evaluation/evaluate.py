"""Challenger and champion on the same held-out rows: overall, by slice, with intervals; and what the model looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ml.evaluation.answers import Answers
from ml.evaluation.calibration import calibration_bins, calibration_error
from ml.evaluation.intervals import gain_interval, interval, measure
from ml.evaluation.metrics import Metric, TaskKind, judged_by, metrics_of
from ml.evaluation.scores import Baseline, Gain, Importance, Role, Score, SliceScore
from ml.evaluation.slices import slices
from ml.models import ModelConfig

Floats = NDArray[np.float64]
SLICE_ERROR = 0.05
"""Chance that any slice of a challenger as good as the champion is called worse: shared out (Bonferroni)."""
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


@dataclass(frozen=True)
class _Rows:
    """What was held out: labels, days, and how intervals are drawn."""

    actual: Floats
    day: NDArray[np.int64]
    samples: int
    seed: int

    def at(self, places: NDArray[np.int64]) -> _Rows:
        return _Rows(self.actual[places], self.day[places], self.samples, self.seed)

    def gain(self, metric: Metric, ours: Floats, theirs: Floats, *, error: float = 0.025) -> Gain:
        """`error` is the chance that an end of the interval is beyond the truth."""
        new, old = (metric.value(self.actual, side) for side in (ours, theirs))
        ends = gain_interval(
            metric,
            self.actual,
            ours,
            theirs,
            self.day,
            samples=self.samples,
            seed=self.seed,
            confidence=1 - 2 * error,
        )
        return Gain(metric=str(metric), share=metric.gain(new, old), interval=ends)


def score(
    config: ModelConfig,
    subject: Subject,
    rows: pa.Table,
    predicted: Floats,
    *,
    champion: Floats | None = None,
    baselines: Mapping[str, Floats] | None = None,
) -> Score:
    """The gate's metric overall and by slice, the task's other metrics beside it; intervals are 95 %, by day.

    `rows` have `target`, `day_number` and the slices' features; `champion` and `baselines` (by name) are the
    predictions of others for the same rows, over which the gain is measured.
    """
    metric, classes = config.gate.metric, config.task is TaskKind.CLASSIFICATION
    days = rows["day_number"].to_numpy().astype(np.int64)
    held = _Rows(rows["target"].to_numpy(), days, config.gate.bootstrap_samples, config.training.seed)
    others = {str(o): measure(o, held.actual, predicted) for o in metrics_of(config.task) if o is not metric}
    if classes:
        others["calibration_error"] = calibration_error(held.actual, predicted)
    judged = judged_by(metric)
    return Score(
        **dict(subject),
        rows=len(rows),
        name=str(metric),
        metric=measure(metric, held.actual, predicted),
        interval=interval(metric, held.actual, predicted, days, samples=held.samples, seed=held.seed),
        slices=tuple(_slice_scores(config, held, rows, predicted, champion)),
        others={name: value for name, value in others.items() if value is not None},
        days=int(np.unique(days).size),
        gains=() if champion is None else tuple(held.gain(each, predicted, champion) for each in judged),
        baselines=tuple(_baselines(held, judged, predicted, baselines or {})),
        calibration=calibration_bins(held.actual, predicted) if classes else (),
    )


def _slice_scores(
    config: ModelConfig, held: _Rows, rows: pa.Table, predicted: Floats, champion: Floats | None
) -> Iterator[SliceScore]:
    metric = config.gate.metric
    places = [
        (dimension, value, at)
        for dimension in config.gate.slices
        for value, at in slices(rows, dimension, config.gate.min_slice_rows).items()
    ]
    for dimension, value, at in places:
        part, error = held.at(at), SLICE_ERROR / len(places)
        yield SliceScore(
            dimension=dimension,
            value=value,
            rows=len(at),
            metric=measure(metric, part.actual, predicted[at]),
            interval=interval(metric, part.actual, predicted[at], part.day, samples=held.samples, seed=held.seed),
            gain=None if champion is None else part.gain(metric, predicted[at], champion[at], error=error),
        )


def _baselines(
    held: _Rows, judged: tuple[Metric, ...], predicted: Floats, baselines: Mapping[str, Floats]
) -> Iterator[Baseline]:
    """One a metric and baseline, unless the metric cannot measure it, as minutes for BRIER."""
    for metric in judged:
        for name, said in baselines.items():
            value = metric.value(held.actual, said)
            if metric.possible(value):
                yield Baseline(name=name, value=value, gain=held.gain(metric, predicted, said))


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
