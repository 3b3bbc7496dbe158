"""Parallel coordinates: one line a run, from axis to axis, the best one drawn strongest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT, TOP, SIDE = 640, 280, 34, 60


@dataclass(frozen=True)
class Axis:
    """A parameter or a metric, with one value a run."""

    name: str
    values: Sequence[float]


def parallel(title: str, axes: Sequence[Axis], best: int) -> Markup:
    """`best` is the place of the run that stands out."""
    gap = (WIDTH - 2 * SIDE) / max(len(axes) - 1, 1)
    across = [SIDE + gap * place for place in range(len(axes))]
    runs = range(len(axes[0].values))
    order = [run for run in runs if run != best] + [best]
    parts = [_axis(axis, x) for axis, x in zip(axes, across, strict=True)]
    for run in order:
        points = "L".join(f"{x:.1f} {_up(axis, run):.1f}" for axis, x in zip(axes, across, strict=True))
        kind = 'class="line-two" stroke-width="3"' if run == best else 'class="line-one" opacity=".55"'
        parts.append(f'<path {kind} d="M{points}"/>')
    said = str(Markup.escape(title))
    return Markup(
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}" style="max-width:{WIDTH}px">'
        f"{''.join(parts)}</svg><figcaption>{said}</figcaption></figure>"
    )


def _up(axis: Axis, run: int) -> float:
    low, high = min(axis.values), max(axis.values)
    share = (axis.values[run] - low) / (high - low) if high > low else 0.5
    return HEIGHT - TOP - share * (HEIGHT - 2 * TOP)


def _axis(axis: Axis, x: float) -> str:
    name = str(Markup.escape(axis.name))
    middle = f'<text class="soft" text-anchor="middle" x="{x:.1f}"'
    return (
        f'<path class="rule" d="M{x:.1f} {TOP}V{HEIGHT - TOP}"/>'
        f'<text text-anchor="middle" x="{x:.1f}" y="14">{name}</text>'
        f'{middle} y="{TOP - 6}">{max(axis.values):.4g}</text>'
        f'{middle} y="{HEIGHT - TOP + 16}">{min(axis.values):.4g}</text>'
    )
