"""[gate]: what a challenger must show to become champion."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ml.evaluation.metrics import Metric
from ml.models.config.section import Fraction, Positive, Section


class Gate(Section):
    """The conditions of a promotion; all of them must hold, and an unknown one holds never.

    What depends on the task or the data has no default: the metric and its two bounds.
    """

    metric: Metric = Field(description="what decides; the others are reported")
    floor: float = Field(description="no worse than this, absolutely")
    ceiling: float = Field(description="better than this is too good to be true: a leaked label")
    min_gain: Fraction = Field(
        default=0.01, description="better than the champion by this share of the champion's value, and beyond chance"
    )
    max_gain: Annotated[float, Field(gt=0)] = Field(
        default=0.3, description="better than the champion by more than this share: a person looks first"
    )
    naive_feature: str | None = Field(
        default=None, description="a numeric feature that, as it is, predicts: the model must be better"
    )
    slice_tolerance: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default={"origin": 0.05, "carrier": 0.15, "hour_band": 0.10},
        description="categorical feature -> share by which one of its slices may be worse, chance left aside",
    )
    min_rows: Positive = Field(default=2000, description="rows held out, at least")
    min_slice_rows: Positive = Field(default=200, description="smaller slices are pooled, so that every row counts")
    bootstrap_samples: Positive = Field(default=2000, description="draws of days, for the confidence intervals")

    @property
    def slices(self) -> tuple[str, ...]:
        """The features whose values are the slices."""
        return tuple(self.slice_tolerance)

    @property
    def columns(self) -> tuple[str, ...]:
        """The features that held-out rows have for the gate, whether the model reads them or not."""
        return self.slices if self.naive_feature is None else (*self.slices, self.naive_feature)

    @model_validator(mode="after")
    def _ceiling_is_better_than_floor(self) -> Gate:
        if not self.metric.better(self.ceiling, self.floor):
            direction = "above" if self.metric.higher_is_better else "below"
            raise ValueError(f"ceiling = {self.ceiling} must be {direction} floor = {self.floor} for {self.metric}")
        return self
