"""[drift]: when the monitor speaks up, and when that is reason enough to train again."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, create_model, model_validator

from ml.models.config.section import Months, Positive, Section
from ml.monitoring.measures import MEASURES, Measure

WEATHER = ("temp", "dewp", "humid", "pressure", "wind_dir", "wind_speed", "precip", "visib")
Threshold = Annotated[float, Field(gt=0)]


if TYPE_CHECKING:
    Thresholds = Section
else:
    Thresholds = create_model(
        "Thresholds",
        __base__=Section,
        **{
            measure.key: (
                Threshold if measure.most == math.inf else Annotated[float, Field(ge=0, le=measure.most)],
                Field(default=measure.threshold, description=measure.description),
            )
            for measure in MEASURES
        },
    )


class Drift(Thresholds):
    """Thresholds of the drift measures, and the damping between an alarm and a training."""

    growth: Threshold = Field(
        default=0.25,
        description="drift that the last training has seen counts again when it is larger by this share",
    )
    seasonal_features: tuple[str, ...] = Field(
        default=WEATHER,
        description="measured and shown, never a reason to train; by default the weather, as far as the model reads it",
    )
    debounce_alarms: Months = Field(default=1, description="this many windows with an alarm ...")
    debounce_windows: Months = Field(default=2, description="... among this many latest")
    cooldown_days: Annotated[int, Field(ge=0, le=36_500)] = Field(
        default=28, description="after a training, none for this long"
    )
    min_new_rows: Positive = Field(default=5000, description="rows since the last training, at least")

    def of_features(self, names: Collection[str]) -> Drift:
        """The same; where the file does not say what is seasonal, only what is among `names`."""
        if "seasonal_features" in self.model_fields_set:
            return self
        seasonal = tuple(name for name in self.seasonal_features if name in names)
        return self.model_copy(update={"seasonal_features": seasonal})

    def threshold(self, measure: Measure) -> float:
        """From which value on a measure matters."""
        return float(getattr(self, measure.key))

    @model_validator(mode="after")
    def _alarms_fit_windows(self) -> Drift:
        if self.debounce_alarms > self.debounce_windows:
            raise ValueError(f"debounce_alarms = {self.debounce_alarms} of {self.debounce_windows} windows never fires")
        return self
