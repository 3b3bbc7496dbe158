"""A batch of requests as columns, the way a canary reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from ml.serving.canary.evidence import Values
from ml.serving.canary.outcomes import Answer, Outcome


@dataclass(frozen=True)
class Requests:
    """Columns of shape (requests,), in the order of arrival; NaN where a version did not answer or nothing is known.

    `failed` is 1.0 or 0.0; latencies of failed answers are NaN; `disagreement` is the mean absolute difference of the
    predictions of one request; `loss` whatever the model's labels are judged by, NaN until a label arrives.
    """

    champion_failed: Values
    challenger_failed: Values
    champion_latency_s: Values
    challenger_latency_s: Values
    disagreement: Values = field(default_factory=lambda: np.empty(0))
    champion_loss: Values = field(default_factory=lambda: np.empty(0))
    challenger_loss: Values = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        """Columns left out are unknown. Raises ValueError for columns of other lengths."""
        rows = len(self.champion_failed)
        for column in fields(self):
            values = getattr(self, column.name)
            if not len(values) and rows:
                object.__setattr__(self, column.name, np.full(rows, np.nan))
            elif len(values) != rows:
                raise ValueError(f"{column.name} has {len(values)} rows, champion_failed {rows}")

    def __len__(self) -> int:
        """How many requests."""
        return len(self.champion_failed)

    @property
    def answered(self) -> int:
        """Requests somebody answered or failed to answer: rows that only bring labels are none."""
        return int((~np.isnan(self.champion_failed) | ~np.isnan(self.challenger_failed)).sum())

    @property
    def challenger_answers(self) -> int:
        """Requests the challenger answered or failed to answer."""
        return int((~np.isnan(self.challenger_failed)).sum())


def requests_of(outcomes: Sequence[Outcome], *, floor_s: float = 0.0) -> Requests:
    """Columns of what a server saw. `floor_s` is added to every latency: below it a ratio means nothing to a client."""
    champion = np.array([_columns(outcome.champion, floor_s) for outcome in outcomes]).reshape(-1, 2)
    challenger = np.array([_columns(outcome.challenger, floor_s) for outcome in outcomes]).reshape(-1, 2)
    apart = np.array([_disagreement(outcome) for outcome in outcomes], dtype=np.float64)
    return Requests(champion[:, 0], challenger[:, 0], champion[:, 1], challenger[:, 1], apart)


def _columns(answer: Answer | None, floor_s: float) -> tuple[float, float]:
    if answer is None:
        return np.nan, np.nan
    return float(answer.failed), np.nan if answer.failed else answer.latency_s + floor_s


def _disagreement(outcome: Outcome) -> float:
    first, second = outcome.champion, outcome.challenger
    if first is None or second is None or first.predictions is None or second.predictions is None:
        return float("nan")
    return float(np.abs(first.predictions - second.predictions).mean())
