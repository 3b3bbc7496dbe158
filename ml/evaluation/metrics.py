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

BINS = 400
"""Scores are binned by quantile where rows are summed by group; an area is then exact to a few ten-thousandths."""


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
    higher_is_better: bool = False
    lowest: float = 0.0
    highest: float = math.inf

    @abstractmethod
    def weighted(self, actual: Floats, predicted: Floats, weights: Floats) -> Floats:
        """The metric under each row of `weights` (samples x rows); NaN where it does not exist."""

    @abstractmethod
    def sums(self, actual: Floats, predicted: Floats, group: NDArray[np.int64]) -> Floats:
        """Sums (groups x parts) that may be added up over groups, numbered from 0; `of_sums` gives the metric."""

    @abstractmethod
    def of_sums(self, sums: Floats) -> Floats:
        """The metric of each row of sums; NaN where it does not exist."""

    def better(self, value: float, other: float) -> bool:
        """Is `value` strictly better than `other`?"""
        return value > other if self.higher_is_better else value < other

    def possible(self, value: float) -> bool:
        """Whether `value` can be this metric's: finite and within its bounds."""
        return math.isfinite(value) and self.lowest <= value <= self.highest

    def gain(self, challenger: float, champion: float) -> float:
        """Improvement as a share of the champion's value: 0.02 is two per cent better, -0.02 two per cent worse.

        NaN when the champion's value is zero: there is no ratio then.
        """
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

    def weighted(self, actual: Floats, predicted: Floats, weights: Floats) -> Floats:
        """Weighted mean of the losses."""
        import numpy as np

        with np.errstate(invalid="ignore"):
            return self.of_sums(np.column_stack([weights @ self.loss(actual, predicted), weights.sum(axis=1)]))

    def sums(self, actual: Floats, predicted: Floats, group: NDArray[np.int64]) -> Floats:
        """Loss and number of rows."""
        import numpy as np

        return np.column_stack([np.bincount(group, self.loss(actual, predicted)), np.bincount(group)])

    def of_sums(self, sums: Floats) -> Floats:
        """Loss over rows."""
        import numpy as np

        with np.errstate(invalid="ignore", divide="ignore"):
            means: Floats = sums[:, 0] / sums[:, 1]
            return means if self.power == 1 else means**self.power


@dataclass(frozen=True)
class RocArea(Metric):
    """Area under the ROC curve: chance that a positive row is above a negative one, half for a tie.

    The rank-sum statistic with weights. A row is positive when `actual` is 1.
    """

    def weighted(self, actual: Floats, predicted: Floats, weights: Floats) -> Floats:
        """Rows are sorted once for all samples."""
        import numpy as np

        if not np.isfinite(predicted).all():
            return np.full(len(weights), np.nan)
        order = np.argsort(predicted, kind="stable")
        values, positive = predicted[order], actual[order] > 0.5
        starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
        up, down = (np.add.reduceat(weights[:, order] * rows, starts, axis=1) for rows in (positive, ~positive))
        return _area(up, down)

    def sums(self, actual: Floats, predicted: Floats, group: NDArray[np.int64]) -> Floats:
        """Negative and positive rows of each bin of predictions, in turn."""
        import numpy as np

        edges = np.unique(np.quantile(predicted, np.linspace(0, 1, BINS + 1)[1:-1]))
        cell = np.searchsorted(edges, predicted, side="right") * 2 + (actual > 0.5)
        width, groups = 2 * (edges.size + 1), int(group.max()) + 1
        flat = np.bincount(group * width + cell, minlength=groups * width)
        return flat.reshape(groups, width).astype(np.float64)

    def of_sums(self, sums: Floats) -> Floats:
        """Over the bins."""
        return _area(sums[:, 1::2], sums[:, 0::2])


def _area(up: Floats, down: Floats) -> Floats:
    """Areas of rows of weights: positive and negative ones by rising prediction."""
    import numpy as np

    below = np.cumsum(down, axis=1) - down / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        areas: Floats = (up * below).sum(axis=1) / (up.sum(axis=1) * down.sum(axis=1))
    return areas


def _absolute(actual: Floats, predicted: Floats) -> Floats:
    return abs(actual - predicted)


def _square(actual: Floats, predicted: Floats) -> Floats:
    return (actual - predicted) ** 2


def _cross_entropy(actual: Floats, predicted: Floats) -> Floats:
    """In nats; a probability of 0 or 1 is read as 1e-15 off."""
    import numpy as np

    bounded = np.clip(predicted, 1e-15, 1 - 1e-15)
    return np.asarray(-(actual * np.log(bounded) + (1 - actual) * np.log(1 - bounded)))


MAE = MeanLoss(name="mae", task=TaskKind.REGRESSION, unit="min", loss=_absolute)
RMSE = MeanLoss(name="rmse", task=TaskKind.REGRESSION, unit="min", loss=_square, power=0.5)
ROC_AUC = RocArea(name="roc_auc", task=TaskKind.CLASSIFICATION, higher_is_better=True, highest=1.0)
LOG_LOSS = MeanLoss(name="log_loss", task=TaskKind.CLASSIFICATION, loss=_cross_entropy)

METRICS: dict[str, Metric] = {metric.name: metric for metric in (MAE, RMSE, ROC_AUC, LOG_LOSS)}
"""Every metric there is, by its name."""


def metrics_of(task: TaskKind) -> tuple[Metric, ...]:
    """The metrics that apply to a task."""
    return tuple(metric for metric in METRICS.values() if metric.task is task)


def metric_named(value: object) -> Metric:
    """A metric from its name, or itself. Raises pydantic's error of an enumeration, which names what there is."""
    if isinstance(value, Metric):
        return value
    if isinstance(value, str) and value in METRICS:
        return METRICS[value]
    raise PydanticKnownError("enum", {"expected": ", ".join(f"'{name}'" for name in METRICS)})
