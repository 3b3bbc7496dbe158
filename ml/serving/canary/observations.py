"""What a canary sees of requests, and what it compares.

Two versions' answers become comparable differences: side by side where both answered, in blocks of time where one did.
A block ends as soon as each version has answered once in it; its value is the difference of the two means. Who
answers is drawn without regard to the answer, so a block's expectation is the difference of the versions, also while
the service as a whole gets slower or fails more: both are compared at the same moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import msgspec
import numpy as np

from ml.serving.canary.evidence import Values
from ml.serving.scoring.engines import Predictions
from ml.serving.server.hosting import Role


@dataclass(frozen=True)
class Answer:
    """One version's answer; without latency (NaN) and predictions when it failed."""

    failed: bool
    latency_s: float
    predictions: Predictions | None


@dataclass(frozen=True)
class RequestOutcome:
    """A request: answered by `role`. In the shadow both have an answer, later only the one whose turn it was."""

    role: Role
    champion: Answer | None = None
    challenger: Answer | None = None


@dataclass(frozen=True)
class Requests:
    """A batch of requests as columns of shape (requests,), in the order of arrival; NaN where nothing is known.

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


def requests_of(outcomes: Sequence[RequestOutcome], *, floor_s: float = 0.0) -> Requests:
    """Columns of what a server saw. `floor_s` is added to every latency: below it a ratio means nothing to a client."""
    champion = np.array([_columns(outcome.champion, floor_s) for outcome in outcomes]).reshape(-1, 2)
    challenger = np.array([_columns(outcome.challenger, floor_s) for outcome in outcomes]).reshape(-1, 2)
    apart = np.array([_disagreement(outcome) for outcome in outcomes], dtype=np.float64)
    return Requests(champion[:, 0], challenger[:, 0], champion[:, 1], challenger[:, 1], apart)


def _columns(answer: Answer | None, floor_s: float) -> tuple[float, float]:
    if answer is None:
        return np.nan, np.nan
    return float(answer.failed), np.nan if answer.failed else answer.latency_s + floor_s


def _disagreement(outcome: RequestOutcome) -> float:
    first, second = outcome.champion, outcome.challenger
    if first is None or second is None or first.predictions is None or second.predictions is None:
        return float("nan")
    return float(np.abs(first.predictions - second.predictions).mean())


class OpenBlock(msgspec.Struct, frozen=True):
    """What one version has answered since the last block ended; the other has not answered yet."""

    challenger: bool = False
    count: int = 0
    total: float = 0.0


def differences(champion: Values, challenger: Values, block: OpenBlock) -> tuple[Values, OpenBlock]:
    """Challenger minus champion, and the block that stays open.

    `champion` and `challenger` have shape (requests,), NaN where that version did not answer.
    """
    both = ~np.isnan(champion) & ~np.isnan(challenger)
    side_by_side = challenger[both] - champion[both]
    alone = ~both & ~(np.isnan(champion) & np.isnan(challenger))
    if not alone.any():
        return side_by_side, block
    is_challenger = ~np.isnan(challenger[alone])
    values = np.where(is_challenger, challenger[alone], champion[alone])
    blocks, rest = _blocks(is_challenger, values, block)
    return np.concatenate([side_by_side, blocks]), rest


def _blocks(is_challenger: np.ndarray, values: Values, block: OpenBlock) -> tuple[Values, OpenBlock]:
    if block.count:  # goes on as if its answers had come at once, at the mean
        is_challenger = np.concatenate([[block.challenger] * block.count, is_challenger])
        values = np.concatenate([np.full(block.count, block.total / block.count), values])
    sums = np.concatenate([[0.0], np.cumsum(values)])
    blocks, start = [], 0
    for change in (np.flatnonzero(np.diff(is_challenger)) + 1).tolist():
        if change <= start:
            continue  # the block before ended with this very answer
        other = (sums[change] - sums[start]) / (change - start)  # one version from start on, then the other once
        sign = 1.0 if is_challenger[change] else -1.0
        blocks.append(sign * (values[change] - other))
        start = change + 1
    left = len(values) - start
    rest = OpenBlock(bool(is_challenger[-1]), left, float(sums[-1] - sums[start])) if left else OpenBlock()
    return np.array(blocks), rest
