"""How much worse a challenger may be than its champion: four questions, each with a margin, and the steps it takes."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec


class Question(StrEnum):
    """What a challenger is asked."""

    ERRORS = "errors"  # share of failed answers over the champion's
    LATENCY = "latency"  # log of the ratio of geometric mean latencies
    DISAGREEMENT = "disagreement"  # mean absolute difference of the predictions; only where both answered
    LOSS = "loss"  # mean loss on labels over the champion's; only where labels arrived


class Margins(msgspec.Struct, frozen=True):
    """How much worse a challenger may be, and the steps. From [serving] of the model's file."""

    errors: float
    latency_ratio: float
    disagreement: float
    loss: float | None = None
    steps: tuple[float, ...] = (1, 5, 25, 100)
    min_requests: int = 500

    def __post_init__(self) -> None:
        """Raises ValueError for margins nothing can be judged by."""
        if not 0 < self.errors < 1 or not 1 < self.latency_ratio < 8 or self.disagreement <= 0:
            raise ValueError(f"margins: errors in (0, 1), latency_ratio in (1, 8), disagreement above 0; not {self}")
        if self.loss is not None and self.loss <= 0:
            raise ValueError("the margin of the loss must be above 0")

    def size(self, question: Question) -> float | None:
        """The margin in the unit the question is tested in."""
        match question:
            case Question.ERRORS:
                return self.errors
            case Question.LATENCY:
                return math.log(self.latency_ratio)
            case Question.DISAGREEMENT:
                return self.disagreement
            case Question.LOSS:
                return self.loss
