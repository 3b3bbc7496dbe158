"""Metrics: what a model is measured by, each an object with its loss, its unit and its direction.

A new metric is one object in `METRICS`. Scores, intervals, gate, monitor, configuration and the editors' schema read it
from here. NumPy is imported where it is needed: model files are read without it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticKnownError, core_schema

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Loss = Callable[[Floats, Floats], Floats]
    Resampled = Callable[[Floats], tuple[Floats, Floats]]
    """How often each block is drawn (samples x blocks) -> values (samples), and their slopes by it (as it)."""

MAX_RANKS = 10_000
"""Different predictions an area tells apart; of more, neighbours of equal share count as ties."""
CURVE_RANKS = 400
"""The same where every resample draws its own curve."""


class TaskKind(StrEnum):
    """What is predicted: a number, or a probability."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """One number for predictions beside what happened. In a file it is its name."""

    name: str
    task: TaskKind
    unit: str = ""
    """Of its values; every target of a regression is in minutes."""
    training_loss: str = ""
    """What scikit-learn's gradient boosting minimises for it; empty: its task's usual loss."""
    higher_is_better: bool = False
    lowest: float = 0.0
    highest: float = math.inf

    @abstractmethod
    def by_block(self, actual: Floats, predicted: Floats, block: NDArray[np.int64]) -> Resampled:
        """The metric as a function of how often each block of rows (numbered from 0, such as days) is drawn."""

    def value(self, actual: Floats, predicted: Floats) -> float:
        """The metric of all rows; NaN where it does not exist."""
        import numpy as np

        with np.errstate(invalid="ignore", divide="ignore"):
            values, _ = self.by_block(actual, predicted, np.zeros(len(actual), dtype=np.int64))(np.ones((1, 1)))
        return float(values[0])

    def better(self, value: float, other: float) -> bool:
        """Is `value` strictly better than `other`?"""
        return value > other if self.higher_is_better else value < other

    def possible(self, value: float) -> bool:
        """Whether `value` can be this metric's: finite and within its bounds."""
        return math.isfinite(value) and self.lowest <= value <= self.highest

    def gain(self, challenger: float, champion: float) -> float:
        """Improvement as a share of the champion's value: 0.02 is two per cent better, -0.02 two per cent worse.

        NaN when only the champion's value is zero: there is no ratio then.
        """
        if challenger == champion:
            return 0.0
        if champion == 0:
            return math.nan
        return (challenger - champion if self.higher_is_better else champion - challenger) / champion

    def error(self, value: float) -> float:
        """The value turned so that less is better: the distance from the best, for a score."""
        return self.highest - value if self.higher_is_better else value

    def __str__(self) -> str:
        """The name."""
        return self.name

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        """Read and written by name, one of METRICS."""
        return core_schema.no_info_plain_validator_function(
            metric_named, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        """The names there are."""
        return {"type": "string", "enum": list(METRICS)}


@dataclass(frozen=True, kw_only=True)
class MeanLoss(Metric):
    """The mean of a loss per row, or `power` of it: 0.5 is its root."""

    loss: Loss
    power: float = 1.0

    def by_block(self, actual: Floats, predicted: Floats, block: NDArray[np.int64]) -> Resampled:
        """Loss over rows."""
        import numpy as np

        losses, rows = np.bincount(block, self.loss(actual, predicted)), np.bincount(block)

        def resampled(times: Floats) -> tuple[Floats, Floats]:
            drawn = times @ rows
            means = times @ losses / drawn
            slopes = (losses - means[:, None] * rows) / drawn[:, None]
            if self.power == 1:
                return means, slopes
            return means**self.power, self.power * means[:, None] ** (self.power - 1) * slopes

        return resampled


@dataclass(frozen=True)
class RocArea(Metric):
    """Area under the ROC curve: chance that a positive row is above a negative one, half for a tie.

    The rank-sum statistic. A row is positive when `actual` is 1.
    """

    def by_block(self, actual: Floats, predicted: Floats, block: NDArray[np.int64]) -> Resampled:
        """From the pairs of every two blocks: positive rows of one above negative rows of the other."""
        import numpy as np

        up, down = _by_rank(actual, predicted, block, MAX_RANKS)
        pairs = up.T @ (np.cumsum(down, axis=0) - down / 2)
        positive, negative = up.sum(axis=0), down.sum(axis=0)

        def resampled(times: Floats) -> tuple[Floats, Floats]:
            ups, downs = times @ positive, times @ negative
            areas = np.einsum("sd,de,se->s", times, pairs, times, optimize=True) / (ups * downs)
            slopes = times @ (pairs + pairs.T) / (ups * downs)[:, None]
            return areas, slopes - areas[:, None] * (positive / ups[:, None] + negative / downs[:, None])

        return resampled


@dataclass(frozen=True)
class AveragePrecision(Metric):
    """Area under the precision-recall curve in steps: the mean precision over the positive rows.

    Source: scikit-learn's `average_precision_score`. It says what an area under the ROC curve does not where few rows
    are positive.
    """

    def by_block(self, actual: Floats, predicted: Floats, block: NDArray[np.int64]) -> Resampled:
        """Every resample draws its curve over the ranks."""
        import numpy as np

        several = int(block.max(initial=0)) > 0
        up, down = _by_rank(actual, -predicted, block, CURVE_RANKS if several else len(actual))

        def resampled(times: Floats) -> tuple[Floats, Floats]:
            ups, downs = times @ up.T, times @ down.T
            above, all_above = np.cumsum(ups, axis=1), np.cumsum(ups + downs, axis=1)
            total = above[:, -1:]
            precision = np.divide(above, all_above, out=np.zeros_like(above), where=all_above > 0)
            values = (ups * precision).sum(axis=1, keepdims=True) / total
            share = np.divide(ups, all_above, out=np.zeros_like(ups), where=all_above > 0)
            lost = _from_behind(share * precision)
            by_up = precision + _from_behind(share) - lost - values
            return values[:, 0], (by_up @ up - lost @ down) / total

        return resampled


def _by_rank(actual: Floats, predicted: Floats, block: NDArray[np.int64], most: int) -> tuple[Floats, Floats]:
    """Positive and negative rows by rank of their prediction, rising, and block; NaN if a prediction is not finite."""
    import numpy as np

    blocks = int(block.max(initial=-1)) + 1
    if not np.isfinite(predicted).all():
        return np.full((1, blocks), np.nan), np.full((1, blocks), np.nan)
    known, rank = np.unique(predicted, return_inverse=True)
    if known.size > most:
        known = np.unique(np.quantile(predicted, np.linspace(0, 1, most + 1)[1:-1]))
        rank = np.searchsorted(known, predicted, side="right")
    cell, size = rank * blocks + block, (known.size + 1) * blocks
    up, down = (np.bincount(cell[side], minlength=size) for side in (actual > 0.5, actual <= 0.5))
    return up.reshape(-1, blocks).astype(np.float64), down.reshape(-1, blocks).astype(np.float64)


def _from_behind(values: Floats) -> Floats:
    """Sums of each column and all behind it."""
    import numpy as np

    return np.cumsum(values[:, ::-1], axis=1)[:, ::-1]


def _absolute(actual: Floats, predicted: Floats) -> Floats:
    return abs(actual - predicted)


def _square(actual: Floats, predicted: Floats) -> Floats:
    return (actual - predicted) ** 2


def _cross_entropy(actual: Floats, predicted: Floats) -> Floats:
    """In nats; a probability of 0 or 1 is read as 1e-15 off."""
    import numpy as np

    bounded = np.clip(predicted, 1e-15, 1 - 1e-15)
    return np.asarray(-(actual * np.log(bounded) + (1 - actual) * np.log(1 - bounded)))


MAE = MeanLoss(name="mae", task=TaskKind.REGRESSION, unit="min", loss=_absolute, training_loss="absolute_error")
RMSE = MeanLoss(name="rmse", task=TaskKind.REGRESSION, unit="min", loss=_square, power=0.5)
ROC_AUC = RocArea(name="roc_auc", task=TaskKind.CLASSIFICATION, higher_is_better=True, highest=1.0)
AVERAGE_PRECISION = AveragePrecision(
    name="average_precision", task=TaskKind.CLASSIFICATION, higher_is_better=True, highest=1.0
)
LOG_LOSS = MeanLoss(name="log_loss", task=TaskKind.CLASSIFICATION, loss=_cross_entropy)
BRIER = MeanLoss(name="brier", task=TaskKind.CLASSIFICATION, loss=_square, highest=1.0)

METRICS: dict[str, Metric] = {
    metric.name: metric for metric in (MAE, RMSE, ROC_AUC, AVERAGE_PRECISION, LOG_LOSS, BRIER)
}
"""Every metric there is, by its name."""


def metrics_of(task: TaskKind) -> tuple[Metric, ...]:
    """The metrics that apply to a task."""
    return tuple(metric for metric in METRICS.values() if metric.task is task)


def judged_by(metric: Metric) -> tuple[Metric, ...]:
    """What the gate judges by when `metric` decides: ranks alone do not tell whether a probability is one."""
    ranks = metric.task is TaskKind.CLASSIFICATION and not isinstance(metric, MeanLoss)
    return (metric, BRIER) if ranks else (metric,)


def metric_named(value: object) -> Metric:
    """A metric from its name, or itself. Raises pydantic's error of an enumeration, which names what there is."""
    if isinstance(value, Metric):
        return value
    if isinstance(value, str) and value in METRICS:
        return METRICS[value]
    raise PydanticKnownError("enum", {"expected": ", ".join(f"'{name}'" for name in METRICS)})
