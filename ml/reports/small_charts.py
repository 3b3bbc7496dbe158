"""Small pictures to be read side by side: two distributions over each other, and a measure over the months.

Drawn without axes of their own where a number at either end says as much; hovering tells the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from ml.reports.scales import Scale, escape, short

WIDTH, HEIGHT = 320, 118
TOP, BOTTOM = 8, HEIGHT - 20
NAMES, ROW = 96, 15


def distributions(says: str, edges: Sequence[float], reference: Sequence[float], current: Sequence[float]) -> Markup:
    """Shares by bucket: the reference filled, the current month as a line. One edge more than shares."""
    across = Scale(edges[0], edges[-1], 4, WIDTH - 4)
    up = Scale(0.0, max(*reference, *current, 1e-9), BOTTOM, TOP)
    spans = [(across(a), across(b)) for a, b in pairwise(edges)]
    if edges[0] == edges[-1]:  # one value: a bar in the middle
        spans = [(WIDTH / 2 - 12, WIDTH / 2 + 12)]
    filled = "".join(
        f'<rect class="one" opacity=".5" x="{left:.1f}" y="{up(share):.1f}" width="{max(right - left - 0.5, 0.5):.1f}" '
        f'height="{BOTTOM - up(share):.1f}"/>'
        for (left, right), share in zip(spans, reference, strict=True)
    )
    steps = "".join(f"V{up(share):.1f}H{right:.1f}" for (_, right), share in zip(spans, current, strict=True))
    line = f'<path class="line-two" d="M{spans[0][0]:.1f} {BOTTOM}{steps}V{BOTTOM}"/>'
    return _picture(says, HEIGHT, [_floor(), filled, line, _ends(short(edges[0]), short(edges[-1]))])


def shares(
    says: str, names: Sequence[str], reference: Sequence[float], current: Sequence[float], *, rest: str = ""
) -> Markup:
    """Shares by category: the reference as a bar, the current month as a tick. `rest` is said of those left out."""
    across = Scale(0.0, max(*reference, *current, 1e-9), NAMES, WIDTH - 44)
    parts = []
    for place, (name, before, after) in enumerate(zip(names, reference, current, strict=True)):
        y = TOP + ROW * place
        told = name if len(name) <= 14 else name[:13] + "…"
        parts.append(
            f'<text text-anchor="end" x="{NAMES - 6}" y="{y + 10}">{escape(told)}</text>'
            f'<rect class="one" opacity=".5" x="{NAMES}" y="{y + 1}" width="{across(before) - NAMES:.1f}" height="10"/>'
            f'<rect class="two" x="{across(after) - 1.5:.1f}" y="{y - 1}" width="3" height="14"/>'
            f'<text class="soft" x="{across(max(before, after)) + 6:.1f}" y="{y + 10}">{100 * after:.0f} %</text>'
        )
    parts.append(f'<text class="soft" x="{NAMES}" y="{TOP + ROW * len(names) + 10}">{escape(rest)}</text>')
    return _picture(says, max(HEIGHT, TOP + ROW * (len(names) + 1)), parts)


def trend(
    says: str,
    steps: Sequence[str],
    values: Sequence[float | None],
    limits: Sequence[float | None],
    breaks: Sequence[int],
) -> Markup:
    """A measure over the steps, its limit dashed; `breaks` are the places before which another reference began."""
    known = [value for value in (*values, *limits) if value is not None and math.isfinite(value)]
    across = Scale(0, max(len(steps) - 1, 1), 8, WIDTH - 40)
    up = Scale(0.0, max([*known, 1e-9]), BOTTOM, TOP)
    parts = [_floor()]
    parts += [f'<path class="rule" d="M{across(place - 0.5):.1f} {TOP}V{BOTTOM}"/>' for place in breaks]
    parts += [_joined("line-soft", across, up, limits), _joined("line-two", across, up, values)]
    points = [(place, value) for place, value in enumerate(values) if value is not None and math.isfinite(value)]
    for place, value in points:
        limit = limits[place]
        over = limit is not None and value >= limit
        at = f'class="{"two" if over else "paper"}" cx="{across(place):.1f}" cy="{up(value):.1f}" r="3"'
        parts.append(f"<circle {at}><title>{escape(steps[place])}: {short(value)}</title></circle>")
    if points:
        place, value = points[-1]
        parts.append(f'<text x="{across(place) + 7:.1f}" y="{up(value) + 4:.1f}">{short(round(value, 3))}</text>')
    return _picture(says, HEIGHT, [*parts, _ends(steps[0], steps[-1] if len(steps) > 1 else "")])


def _joined(kind: str, across: Scale, up: Scale, values: Sequence[float | None]) -> str:
    """A path through the values, broken where there is none."""
    path, drawing = "", False
    for place, value in enumerate(values):
        known = value is not None and math.isfinite(value)
        if value is not None and known:
            path += f"{'L' if drawing else 'M'}{across(place):.1f} {up(value):.1f}"
        drawing = known
    return f'<path class="{kind}" d="{path}"/>' if path else ""


def _floor() -> str:
    return f'<path class="rule" d="M4 {BOTTOM}H{WIDTH - 4}"/>'


def _ends(first: str, last: str) -> str:
    y = HEIGHT - 6
    return (
        f'<text class="soft" x="4" y="{y}">{escape(first)}</text>'
        f'<text class="soft" text-anchor="end" x="{WIDTH - 4}" y="{y}">{escape(last)}</text>'
    )


def _picture(says: str, height: float, parts: Sequence[str]) -> Markup:
    return Markup(
        f'<figure class="small"><svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(says)}">'
        f"{''.join(parts)}</svg><figcaption>{escape(says)}</figcaption></figure>"
    )
