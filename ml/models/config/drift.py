"""[drift]: when the monitor speaks up, and when that is reason enough to train again."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ml.models.config.section import Fraction, Months, Positive, Section

Threshold = Annotated[float, Field(gt=0)]


class Drift(Section):
    """Thresholds of the drift measures, and the damping between an alarm and a training."""

    feature_js: Fraction = Field(description="Jensen-Shannon divergence (log2), weighted by importance, one feature")
    category_linf: Fraction = Field(description="L-infinity distance of a categorical feature")
    prediction_js: Fraction = Field(description="Jensen-Shannon divergence of the predictions")
    null_rate_change: Fraction = Field(description="absolute change of a column's share of nulls")
    error_increase: Threshold = Field(description="error over the champion's own gate error, as a share of it")
    growth: Threshold = Field(
        default=0.25,
        description="drift that the last training has seen counts again when it is larger by this share",
    )
    seasonal_features: tuple[str, ...] = Field(default=(), description="measured and shown, never a reason to train")
    debounce_alarms: Months = Field(description="this many windows with an alarm ...")
    debounce_windows: Months = Field(description="... among this many latest")
    cooldown_days: Annotated[int, Field(ge=0, le=36_500)] = Field(description="after a training, none for this long")
    min_new_rows: Positive = Field(description="rows since the last training, at least")

    @model_validator(mode="after")
    def _alarms_fit_windows(self) -> Drift:
        if self.debounce_alarms > self.debounce_windows:
            raise ValueError(f"debounce_alarms = {self.debounce_alarms} of {self.debounce_windows} windows never fires")
        return self
