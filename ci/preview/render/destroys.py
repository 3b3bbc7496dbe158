"""The destroys and replacements of a comment: a table, a plain list, or as much of the list as fits.

The table says why, what is lost and what depends on it; when it is too long, it keeps the stateful and lists the
others; then all are listed by address, the stateful first. What does not fit even so is counted by type, never a
stateful one while another is listed; the page has them all.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from ci.preview.masking.printable import folded
from ci.preview.render.markdown import bold, code, fence, table, words
from ci.preview.report import Loss

_MOST_DEPENDENTS = 3
_MOST_UNPLANNED = 6
_MOST_TYPES = 20


def destroys(losses: tuple[Loss, ...], room: int, wanted_elsewhere: int) -> str:
    """All of `losses` in the longest form that fits into `room` characters; nothing without any.

    Tables leave `wanted_elsewhere` to the other sections if they can; a list may take all of the room.
    """
    if not losses:
        return ""
    title = f"#### ⚠️ Destroyed or replaced ({len(losses):,})\n"
    room -= len(title)
    spared = max(room - wanted_elsewhere, room // 2)
    for form, size in ((_table, spared), (_short_table, spared), (_whole_list, room)):
        text = form(losses)
        if len(text) <= size:
            return title + text
    ordered = sorted(losses, key=_place)
    number = bisect_right(range(len(losses) + 1), room, key=lambda number: len(_list(ordered, number))) - 1
    return title + _list(ordered, max(number, 0))


def _table(losses: Sequence[Loss]) -> str:
    rows = [(_what(group), _why(group[0]), _lost(group[0])) for group in alike(losses)]
    return table(("what", "why", "what is lost"), rows)


def alike(losses: Sequence[Loss]) -> list[list[Loss]]:
    """Neighbours that follow the same parent for the same reason and lose the same are told together."""

    def kind(loss: Loss) -> tuple[object, ...]:
        own = "" if loss.parent else loss.address
        return own, *(getattr(loss, name) for name in Loss.model_fields if name not in ("address", "type"))

    return [list(group) for _, group in groupby(losses, key=kind)]


def _short_table(losses: Sequence[Loss]) -> str:
    """The stateful with everything, the others as a list."""
    stateful = [loss for loss in losses if loss.stateful]
    others = [loss for loss in losses if not loss.stateful]
    return "\n\n".join([*([_table(stateful)] if stateful else []), *([_whole_list(others)] if others else [])])


def _what(group: list[Loss]) -> str:
    first = group[0]
    below = "↳ " if first.depth else ""
    kind = " · *stateful*" if first.stateful else ""
    stack = words(first.stack.removeprefix(f"{first.environment}-"))
    names = ", ".join(code(loss.address) for loss in group)
    return f"{below}**{words(first.environment)}** · {stack} · {names} {first.action}{kind}"


def _why(loss: Loss) -> str:
    """The attributes as code, the rest as words."""
    if loss.parent:
        return f"only because {code(loss.parent)} is replaced{words(loss.why.partition(' is replaced')[2])}"
    for end in (" forces replacement", " force replacement"):
        if loss.why.endswith(end):
            return code(loss.why.removesuffix(end)) + end
    return words(loss.why)


def _lost(loss: Loss) -> str:
    parts = [words(loss.lost)] if loss.lost else []
    if loss.unplanned:
        names = _counted(loss.unplanned, loss.more_unplanned, _MOST_UNPLANNED)
        parts.append(f"**not in the plan, but inside it and gone with it:** {names}")
    if loss.dependents:
        parts.append(f"needed by {_counted(loss.dependents, loss.more_dependents, _MOST_DEPENDENTS)}")
    if loss.protected:
        parts.append(f"protected: {words(loss.protected)}")
    if loss.stateful:
        parts.append("the apply refuses without `--allow-destroy`")
    return "; ".join(parts) or "nothing but the resource"


def _counted(names: Sequence[str], more: int, most: int) -> str:
    left = len(names) + more - most
    return f"{', '.join(code(name) for name in names[:most])}{f' and {left} more' if left > 0 else ''}"


def _place(loss: Loss) -> tuple[bool, str, str, str, str, str]:
    return not loss.stateful, loss.environment, loss.stack, loss.action, loss.type, loss.address


def _whole_list(losses: Sequence[Loss]) -> str:
    return _list(sorted(losses, key=_place), len(losses))


def _list(ordered: Sequence[Loss], number: int) -> str:
    """The first `number` of losses, sorted by `_place`: an address a line under each stack; the others counted."""
    parts = []
    for place, group in groupby(ordered[:number], key=lambda loss: _place(loss)[:4]):
        lines = [f"- {folded(loss.address, 300)}" for loss in group]
        kind = "" if place[0] else ", *stateful*"
        stack = words(place[2].removeprefix(f"{place[1]}-"))
        parts.append(f"**{words(place[1])}** · {stack} · {len(lines):,} {place[3]}{kind}:\n\n{fence(lines)}")
    left = Counter(loss.type for loss in ordered[number:])
    if left:
        types = ", ".join(f"{count:,} {code(folded(name, 80))}" for name, count in left.most_common(_MOST_TYPES))
        more = f" and {len(left) - _MOST_TYPES} more types" if len(left) > _MOST_TYPES else ""
        stateful = sum(loss.stateful for loss in ordered[number:])
        alarm = f", {stateful:,} of them stateful" if stateful else ""
        title = f"{left.total():,} more do not fit into a comment{alarm}"
        parts.append(f"{bold(title)}: {types}{more}; the full list is in the page (`fonderie preview --html`).")
    return "\n".join(parts)
