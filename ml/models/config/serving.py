"""[serving]: how a new version earns its traffic."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from ml.models.config.section import Fraction, Positive, Section

Percent = Annotated[int, Field(ge=1, le=100)]


class Serving(Section):
    """The canary's steps, and the margins by which it may be worse than the champion."""

    canary_steps: tuple[Percent, ...] = Field(default=(1, 5, 25, 100), description="per cent of traffic, step by step")
    max_error_rate_increase: Fraction = Field(default=0.01, description="share of failed answers over the champion's")
    max_latency_ratio: Annotated[float, Field(ge=1)] = Field(
        default=1.5, description="geometric mean over the champion's"
    )
    max_disagreement: Annotated[float, Field(gt=0)] = Field(
        description="mean absolute difference from the champion's predictions, in the prediction's unit"
    )
    max_loss_increase: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="mean error on labels over the champion's, in the prediction's unit; none: not judged"
    )
    min_requests: Positive = Field(default=500, description="answers a step must see before it is judged")

    @field_validator("canary_steps")
    @classmethod
    def _steps_rise_to_all(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        if list(steps) != sorted(set(steps)) or not steps or steps[-1] != 100:
            raise ValueError(f"{list(steps)} must increase and end with 100")
        return steps
