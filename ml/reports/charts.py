"""Charts as inline SVG that takes its colours from the page, so one picture reads in light, dark and print.

Drawn here and not by matplotlib: its import is a second of every run, and its pictures have one set of colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ml.reports.scales import Scale, escape, round_ticks, short

WIDTH = 640
LABELS = 150
AXIS = 44
COLOURS = ("one", "two", "three")


@dataclass(frozen=True)
class Bar:
    """A named value, with its interval and a value to compare it with, if there are any."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    other: float | None = None


def bars(title: str, unit: str, data: Sequence[Bar], *, legend: tuple[str, str] = ("", "")) -> Markup:
    """Horizontal bars; the interval as a whisker, the other value as a tick. `legend` names bar and tick."""
    row, top = 22, 10
    height = top + row * len(data) + 30
    ends = [end for bar in data for end in (bar.value, bar.high, bar.other) if end is not None and math.isfinite(end)]
    highest, lowest = max([*ends, 1e-9]), min([0.0, *(bar.value for bar in data if math.isfinite(bar.value))])
    ticks = round_ticks(lowest if lowest < -0.02 * highest else 0.0, highest)
    compared = any(bar.other is not None for bar in data)
    scale = Scale(ticks[0], ticks[-1], LABELS, WIDTH - (110 if compared else 60))
    parts = [_grid(scale, ticks, top, height - 28)]
    for place, bar in enumerate(data):
        y = top + place * row
        parts.append(_bar(bar, scale, y))
    return _figure(title, unit, height, parts, legend)


def heat(title: str, unit: str, x: NDArray[np.float64], y: NDArray[np.float64], *, bins: int = 40) -> Markup:
    """Predicted (y) against actual (x) as a grid of counts, with the diagonal of perfect predictions."""
    low, high = (float(f(np.concatenate([x, y]))) for f in (np.min, np.max))
    ticks = round_ticks(low, high)
    side = 420
    across, up = Scale(ticks[0], ticks[-1], AXIS, side - 16), Scale(ticks[0], ticks[-1], side - AXIS, 10)
    edges = np.linspace(ticks[0], ticks[-1], bins + 1)
    counts, _, _ = np.histogram2d(x, y, bins=(edges, edges))
    size = abs(up(edges[1]) - up(edges[0])), across(edges[1]) - across(edges[0])
    parts = [_axes(across, up, ticks, side)]
    for i, j in np.argwhere(counts > 0).tolist():
        depth = 0.15 + 0.85 * math.log1p(counts[i, j]) / math.log1p(counts.max())
        parts.append(
            f'<rect class="one" opacity="{depth:.2f}" x="{across(edges[i]):.1f}" y="{up(edges[j + 1]):.1f}" '
            f'width="{size[1]:.1f}" height="{size[0]:.1f}"/>'
        )
    parts.append(
        f'<path class="line-soft" d="M{across(ticks[0])} {up(ticks[0])}L{across(ticks[-1])} {up(ticks[-1])}"/>'
    )
    return _figure(title, f"actual (across) and predicted (up), {unit}", side, parts, ("", ""), width=side)


@dataclass(frozen=True)
class Line:
    """A series over the same steps; None where there is no value."""

    name: str
    values: Sequence[float | None]


def lines(title: str, unit: str, steps: Sequence[str], data: Sequence[Line]) -> Markup:
    """Up to three series over named steps, such as months; points are marked."""
    height = 260
    known = [value for line in data for value in line.values if value is not None and math.isfinite(value)]
    ticks = round_ticks(min(known, default=0.0), max(known, default=1.0))
    up = Scale(ticks[0], ticks[-1], height - 34, 10)
    across = Scale(0, max(len(steps) - 1, 1), AXIS + 14, WIDTH - 30)
    parts = [
        f'<path class="rule" d="M{AXIS} {up(tick):.1f}H{WIDTH}"/>'
        f'<text class="soft" text-anchor="end" x="{AXIS - 6}" y="{up(tick) + 4:.1f}">{short(tick)}</text>'
        for tick in ticks
    ]
    every = max(1, math.ceil(len(steps) / 12))
    for place in range(0, len(steps), every):
        at = f'x="{across(place):.1f}" y="{height - 10}"'
        parts.append(f'<text class="soft" text-anchor="middle" {at}>{escape(steps[place])}</text>')
    for line, colour in zip(data, COLOURS, strict=False):
        points = [(across(i), up(v)) for i, v in enumerate(line.values) if v is not None and math.isfinite(v)]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path class="line-{colour}" d="M{path}"/>' if points else "")
        parts += [f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in points]
    return _figure(title, unit, height, parts, [line.name for line in data])


def _bar(bar: Bar, scale: Scale, y: float) -> str:
    name = bar.name if len(bar.name) <= 22 else bar.name[:21] + "…"
    text = f'<text text-anchor="end" x="{LABELS - 8}" y="{y + 14}">{escape(name)}</text>'
    if not math.isfinite(bar.value):
        return text
    left, right = sorted((scale(0.0), scale(bar.value)))
    shape = f'<rect class="one" opacity=".75" x="{left:.1f}" y="{y + 3}" width="{right - left:.1f}" height="14"/>'
    if bar.low is not None and bar.high is not None:
        low, high = scale(bar.low), scale(bar.high)
        shape += f'<path class="whisker" d="M{low:.1f} {y + 10}H{high:.1f}M{low:.1f} {y + 6}v8M{high:.1f} {y + 6}v8"/>'
    if bar.other is not None and math.isfinite(bar.other):
        shape += f'<rect class="two" x="{scale(bar.other) - 1.5:.1f}" y="{y + 1}" width="3" height="18"/>'
    end = max([right, *(scale(each) for each in (bar.high, bar.other) if each is not None and math.isfinite(each))])
    says = short(bar.value) + (f" vs {short(bar.other)}" if bar.other is not None else "")
    return text + shape + f'<text class="soft" x="{end + 6:.1f}" y="{y + 14}">{says}</text>'


def _grid(scale: Scale, ticks: Sequence[float], top: float, bottom: float) -> str:
    return "".join(
        f'<path class="rule" d="M{scale(tick):.1f} {top}V{bottom}"/>'
        f'<text class="soft" text-anchor="middle" x="{scale(tick):.1f}" y="{bottom + 16}">{short(tick)}</text>'
        for tick in ticks
    )


def _axes(across: Scale, up: Scale, ticks: Sequence[float], side: float) -> str:
    return "".join(
        f'<path class="rule" d="M{across(tick):.1f} 10V{side - AXIS}M{AXIS} {up(tick):.1f}H{side - 16}"/>'
        f'<text class="soft" text-anchor="middle" x="{across(tick):.1f}" y="{side - AXIS + 18}">{short(tick)}</text>'
        f'<text class="soft" text-anchor="end" x="{AXIS - 6}" y="{up(tick) + 4:.1f}">{short(tick)}</text>'
        for tick in ticks
    )


def _figure(
    title: str, unit: str, height: float, parts: Sequence[str], legend: Sequence[str], *, width: float = WIDTH
) -> Markup:
    says = f"{title} ({unit})" if unit else title
    swatch = '<svg viewBox="0 0 10 10" style="width:.7em;display:inline-block" aria-hidden="true"><rect class="{}" '
    keys = "".join(
        f' {swatch.format(colour)}width="10" height="10"/></svg> {escape(name)}'
        for colour, name in zip(COLOURS, legend, strict=False)
        if name
    )
    return Markup(
        f'<figure><svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(says)}" '
        f'style="max-width:{width}px">{"".join(parts)}</svg><figcaption>{escape(says)}{keys}</figcaption></figure>'
    )
