"""Two versions under made-up traffic: noise of a named shape, and how much worse the challenger is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from ml.serving.canary.canary import Canary, Status, observe, start
from ml.serving.canary.margins import Margins
from ml.serving.canary.observations import Requests

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MARGINS = Margins(errors=0.02, latency_ratio=1.5, disagreement=5.0, loss=1.0, min_requests=200)


@dataclass(frozen=True)
class Traffic:
    """`errors`, `latency_ratio` and so on are the challenger's, over the champion's."""

    shape: str = "lognormal"
    failing: float = 0.004
    errors: float = 0.0
    latency_ratio: float = 1.0
    disagreement: float = 1.0
    loss: float | None = None
    only_live: bool = False  # the challenger behaves in the shadow

    def batch(self, rng: np.random.Generator, percent: float, rows: int) -> Requests:
        """The next requests at that share of the traffic."""
        worse = percent > 0 or not self.only_live
        champion_failed = (rng.random(rows) < self.failing).astype(float)
        challenger_failed = (rng.random(rows) < self.failing + self.errors * worse).astype(float)
        champion_latency, challenger_latency = noise(rng, rows, self.shape), noise(rng, rows, self.shape)
        challenger_latency = challenger_latency * (self.latency_ratio if worse else 1.0)
        champion_latency[champion_failed == 1] = np.nan
        challenger_latency[challenger_failed == 1] = np.nan
        disagreement = np.abs(rng.normal(0, self.disagreement * np.sqrt(np.pi / 2), rows))
        losses = [np.full(rows, np.nan), np.full(rows, np.nan)]
        if self.loss is not None:
            losses = [rng.gamma(2, 3, rows), rng.gamma(2, 3, rows) + self.loss * worse]
        columns = [champion_failed, challenger_failed, champion_latency, challenger_latency, disagreement, *losses]
        if percent:
            chosen = rng.random(rows) < percent / 100
            for at, column in enumerate(columns):
                hidden = np.ones(rows, dtype=bool) if at == 4 else chosen if at % 2 == (0 if at < 4 else 1) else ~chosen
                column[hidden] = np.nan
        return Requests(*columns)


def noise(rng: np.random.Generator, rows: int, shape: str) -> NDArray[np.float64]:
    """Latencies in seconds."""
    match shape:
        case "constant":
            return np.full(rows, 0.02)
        case "lognormal":
            return 0.02 * np.exp(rng.normal(0, 0.5, rows))
        case "heavy tail":
            return 0.01 * (1 + rng.pareto(1.2, rows))
        case "two modes":
            return np.where(rng.random(rows) < 0.1, 0.3, 0.01) * rng.uniform(0.8, 1.2, rows)
        case "rising":
            return 0.02 * np.exp(rng.normal(0, 0.3, rows) + np.linspace(0, 1, rows))
        case "waves":
            steps = rng.normal(0, 0.1, rows)
            return 0.02 * np.exp(np.convolve(steps, 0.95 ** np.arange(100))[:rows])
    raise ValueError(shape)


def run(traffic: Traffic, seed: int, *, margins: Margins = MARGINS, batch: int = 1000, most: int = 200_000) -> Canary:
    """Until it is decided, or `most` requests have come."""
    rng = np.random.default_rng(seed)
    canary = start("air_time", "1", "2", margins, now=NOW)
    for _ in range(most // batch):
        canary = observe(canary, traffic.batch(rng, canary.percent, batch), now=NOW)
        if canary.status is not Status.RUNNING:
            break
    return canary
