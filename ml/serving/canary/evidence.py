"""Sequential tests that may be looked at after every request: capital of a bettor who bets against a hypothesis.

Under "the mean is at most theta" the capital prod(1 + bet_t * (x_t - theta)) is a nonnegative supermartingale, whatever
the noise, so that it reaches 1/alpha with probability alpha at most, ever (Ville 1939). The bets are aGRAPA of
Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86 (2024), section B.3: made
from earlier values only. No sample size is fixed in advance, no correction for peeking is needed.

That guarantee is about values whose expectation, given the past, stays on the hypothesis' side. Real noise comes in
waves: a slow minute is followed by a slow minute, and the past tells the future. The bets are therefore divided by the
values' own autocorrelation time, measured from sums of BLOCK values as in the method of batch means: with independent
noise it is one and nothing changes, with waves the capital grows as if only every wave counted.
"""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
BOLDNESS = 0.75  # of the largest bet that can never lose everything
BLOCK = 50  # values a sum of the autocorrelation's estimate
PRIOR_BLOCKS = 4  # weight of `caution`


class Side(StrEnum):
    """Which hypothesis is bet against: that the mean is at most theta, or that it is at least theta."""

    ABOVE = "above"  # capital grows when the mean is above theta
    BELOW = "below"  # capital grows when the mean is below theta


class Bet(msgspec.Struct, frozen=True):
    """A running test of values in [low, high] against theta. `observe` returns the next one; nothing is changed."""

    side: Side
    theta: float
    low: float
    high: float
    caution: float = 1.0  # autocorrelation time assumed before there is any to measure
    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    block_mark: float = 0.0  # total at the end of the last whole block
    block_squares: float = 0.0  # of the sums of whole blocks
    log_capital: float = 0.0
    peak: float = 0.0  # of log_capital: Ville's inequality is about the highest it ever was

    @property
    def mean(self) -> float:
        """Of the values seen; NaN before the first."""
        return self.total / self.count if self.count else float("nan")

    def proven(self, alpha: float) -> bool:
        """Is the hypothesis rejected at level alpha?"""
        return self.peak >= -math.log(alpha)

    def observe(self, values: Values) -> Bet:
        """After `values`, shape (n,), in the order they came. Raises ValueError outside of [low, high]."""
        if not len(values):
            return self
        if not (np.all(values >= self.low - 1e-12) and np.all(values <= self.high + 1e-12)):
            raise ValueError(f"values must lie in [{self.low}, {self.high}]")
        marks, block_squares = self._blocks(values)
        bets = self._bets(values, block_squares)
        path = self.log_capital + np.cumsum(np.log1p(bets * (values - self.theta)))
        return msgspec.structs.replace(
            self,
            count=self.count + len(values),
            total=self.total + float(values.sum()),
            squares=self.squares + float(np.square(values).sum()),
            block_mark=float(marks[-1]),
            block_squares=float(block_squares[-1]),
            log_capital=float(path[-1]),
            peak=max(self.peak, float(path.max())),
        )

    def _blocks(self, values: Values) -> tuple[Values, Values]:
        """Totals at the ends of whole blocks, and the sums of squares of the blocks up to each, from the last known."""
        totals = self.total + np.cumsum(values)
        ends = totals[(self.count + np.arange(len(values)) + 1) % BLOCK == 0]
        marks = np.concatenate([[self.block_mark], ends])
        squares = self.block_squares + np.concatenate([[0.0], np.cumsum(np.square(np.diff(marks)))])
        return marks, squares

    def _bets(self, values: Values, block_squares: Values) -> Values:
        """A bet for each value, from those before it. One made-up value stands at the beginning: mean 0, wide."""
        seen = self.count + np.arange(len(values)) + 1.0
        before = np.concatenate([[0.0], values[:-1]])
        mean = (self.total + np.cumsum(before)) / seen
        spread = (self.high - self.low) ** 2 / 16
        squares = (self.squares + np.cumsum(np.square(before)) + spread) / seen
        variance = np.maximum(squares - np.square(mean), 1e-12)
        blocks = (self.count + np.arange(len(values))) // BLOCK
        of_blocks = block_squares[blocks - self.count // BLOCK] / BLOCK - blocks * BLOCK * np.square(mean)
        time = (PRIOR_BLOCKS * self.caution + np.maximum(of_blocks / variance, blocks)) / (PRIOR_BLOCKS + blocks)
        edge = mean - self.theta
        wanted = edge / (time * variance + np.square(edge))
        if self.side is Side.ABOVE:
            bets: Values = np.clip(wanted, 0.0, BOLDNESS / (self.theta - self.low))
        else:
            bets = np.clip(wanted, -BOLDNESS / (self.high - self.theta), 0.0)
        return bets
