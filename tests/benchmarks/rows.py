"""A measured row, and how a duration is taken."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of docs/benchmarks.md. `value` and `baseline` were taken in the same run, in the same unit."""

    what: str
    value: float
    unit: str  # "s", "MB", "ratio", "%", "requests/s"
    reach: str  # what the issue asks for, as words: "<= 0.15 s"
    reached: bool
    baseline: float | None = None
    baseline_name: str = ""

    @property
    def ratio(self) -> float | None:
        """`value` over `baseline`; None without one."""
        return self.value / self.baseline if self.baseline else None


def seconds(call: Callable[[], object], *, runs: int = 3) -> float:
    """Median wall time of `call` over `runs` runs."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
