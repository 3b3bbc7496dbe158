"""Two versions' answers to comparable differences: side by side where both answered, in blocks of time where one did.

A block ends as soon as each version has answered once in it; its value is the difference of the two means. Who
answers is drawn without regard to the answer, so a block's expectation is the difference of the versions, also while
the service as a whole gets slower or fails more: both are compared at the same moment.
"""

from __future__ import annotations

import msgspec
import numpy as np

from ml.serving.canary.evidence import Values


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
    found, start = [], 0
    for change in (np.flatnonzero(np.diff(is_challenger)) + 1).tolist():
        if change <= start:
            continue  # the block before ended with this very answer
        other = (sums[change] - sums[start]) / (change - start)  # one version from start on, then the other once
        sign = 1.0 if is_challenger[change] else -1.0
        found.append(sign * (values[change] - other))
        start = change + 1
    left = len(values) - start
    rest = OpenBlock(bool(is_challenger[-1]), left, float(sums[-1] - sums[start])) if left else OpenBlock()
    return np.array(found), rest
