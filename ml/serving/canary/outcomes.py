"""What a canary sees of a request: who answered, whether it failed, how long it took, what it said."""

from __future__ import annotations

from dataclasses import dataclass

from ml.serving.scoring.engines import Predictions
from ml.serving.server.hosting import Role


@dataclass(frozen=True)
class Answer:
    """One version's answer; without latency (NaN) and predictions when it failed."""

    failed: bool
    latency_s: float
    predictions: Predictions | None


@dataclass(frozen=True)
class Outcome:
    """A request: answered by `role`. In the shadow both have an answer, later only the one whose turn it was."""

    role: Role
    champion: Answer | None = None
    challenger: Answer | None = None
