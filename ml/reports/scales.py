"""What every chart is drawn with: scales, round ticks, numbers and names as SVG shows them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Scale:
    """Linear, from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Pixels of a value."""
        return self.start + (value - self.low) / ((self.high - self.low) or 1.0) * (self.end - self.start)


def round_ticks(low: float, high: float) -> list[float]:
    """About five round values that enclose low and high."""
    span = (high - low) or abs(high) or 1.0
    rough = span / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return [step * place for place in range(first, max(last, first + 1) + 1)]


def short(value: float) -> str:
    """A number in the least room."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def escape(text: str) -> str:
    """Text that is safe between tags and in attributes."""
    return str(Markup.escape(text))
