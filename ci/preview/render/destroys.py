"""The destroys and replacements of a comment: the one part that is never cut, so it has ever shorter forms.

A table with why, what is lost and what depends on it; the same for the stateful only; a plain list of addresses; the
addresses by type; beginnings that repeat written once. Only when not even that fits (some thousand long names) does a
list end in the number of those left, by type, and the comment says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from ci.preview.masking.printable import folded
from ci.preview.render.markdown import bold, code, fence, table, words
from ci.preview.report import Loss

_MOST_DEPENDENTS = 3
MOST_UNPLANNED = 6
Form = Callable[[list[Loss]], str]


def destroys(losses: tuple[Loss, ...], room: int, wanted_elsewhere: int) -> str:
    """All of `losses` in the longest form that fits into `room` characters; nothing without any.

    Forms with whole names may leave less than `wanted_elsewhere` to the other sections; the others must leave it.
    """
    if not losses:
        return ""
    title = f"#### ⚠️ Destroyed or replaced ({len(losses):,})\n"
    ordered = list(losses)
    spared = max(room - wanted_elsewhere, room // 2)
    tries = [(form, spared) for form in WHOLE] + [(form, room) for form in WHOLE[2:]]
    tries += [(form, size) for size in (spared, room) for form in FACTORED]
    for form, size in tries:
        text = title + form(ordered)
        if len(text) <= size:
            return text
    return title + _as_many_as_fit(ordered, room - len(title))


def _table(losses: list[Loss]) -> str:
    rows = [(_what(group), _why(group[0]), _lost(group[0])) for group in alike(losses)]
    return table(("what", "why", "what is lost"), rows)


def alike(losses: Sequence[Loss]) -> list[list[Loss]]:
    """Neighbours that follow the same parent for the same reason and lose the same are told together."""

    def kind(loss: Loss) -> tuple[object, ...]:
        own = "" if loss.parent else loss.address
        return own, *(getattr(loss, name) for name in Loss.model_fields if name not in ("address", "type"))

    return [list(group) for _, group in groupby(losses, key=kind)]


def _short_table(losses: list[Loss]) -> str:
    """The stateful with everything, the others as a list."""
    stateful = [loss for loss in losses if loss.stateful]
    others = [loss for loss in losses if not loss.stateful]
    parts = [_table(stateful)] if stateful else []
    return "\n\n".join(parts + ([_list(others)] if others else []))


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
        names = _counted(loss.unplanned, loss.more_unplanned, MOST_UNPLANNED)
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


def _list(losses: list[Loss]) -> str:
    """An address a line, by environment, stack and what happens."""
    return "\n".join(
        f"{heading}\n{fence([f'- {loss.address}' for loss in group])}" for heading, group in _groups(losses)
    )


def _groups(losses: list[Loss]) -> Iterator[tuple[str, list[Loss]]]:
    def place(loss: Loss) -> tuple[str, str, str]:
        return loss.environment, loss.stack, loss.action

    for (environment, stack, action), group in groupby(sorted(losses, key=place), key=place):
        members = sorted(group, key=lambda loss: (not loss.stateful, loss.type, loss.address))
        yield (
            f"**{words(environment)}** · {words(stack.removeprefix(f'{environment}-'))} · {len(members):,} {action}:\n",
            members,
        )


def _by_type(losses: list[Loss]) -> str:
    """A line a type: its resources' names, without the type that they share."""

    def line(kind: str, members: list[Loss]) -> str:
        return f"- {kind}: {' '.join(_name(loss) for loss in members)}"

    return _typed(losses, line)


def _factored(losses: list[Loss]) -> str:
    """A line a beginning: what follows it in braces, as a shell would expand it."""

    def line(kind: str, members: list[Loss]) -> str:
        return f"- {kind}: {' '.join(factored([_name(loss) for loss in members]))}"

    return _typed(losses, line)


def _shortened(losses: list[Loss], longest: int = 60) -> str:
    """As `_factored`, with long names cut in the middle and told apart by a hash."""

    def line(kind: str, members: list[Loss]) -> str:
        return f"- {kind}: {' '.join(factored([short(_name(loss), longest) for loss in members]))}"

    return _typed(losses, line)


def _shortest(losses: list[Loss]) -> str:
    """As `_shortened`, a beginning and a hash."""
    return _shortened(losses, 20)


def _typed(losses: list[Loss], line: Callable[[str, list[Loss]], str]) -> str:
    blocks = []
    for heading, group in _groups(losses):
        lines = [line(folded(kind, 80), list(members)) for kind, members in groupby(group, key=lambda loss: loss.type)]
        blocks.append(f"{heading}\n{fence(lines)}")
    return "\n".join(blocks)


def _name(loss: Loss) -> str:
    return loss.address.replace(f"{loss.type}.", "", 1)


def short(name: str, longest: int) -> str:
    """A name of at most that many characters; two different ones stay different."""
    if len(name) <= longest:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    head, tail = (longest - 10) * 2 // 3, (longest - 10) // 3
    return f"{name[:head]}…{mark}…{name[-tail:]}"


def factored(names: list[str], depth: int = 0) -> list[str]:
    """`raw_a_x raw_b_x` -> `raw_{a,b}_x`, nested; nothing is left out."""
    if len(names) == 1 or depth > 12:
        return sorted(names)
    parts = []
    for _, group in groupby(sorted(names), key=lambda name: name[:1]):
        members = list(group)
        start = _beginning(members)
        if len(members) == 1 or not start:
            parts += members
            continue
        rest = [name[len(start) :] for name in members]
        end = _beginning(sorted(name[::-1] for name in rest))[::-1]
        inner = factored([name[: len(name) - len(end)] for name in rest], depth + 1)
        parts.append(f"{start}{{{','.join(inner)}}}{end}")
    return parts


def _beginning(names: list[str]) -> str:
    """What sorted names all begin with."""
    first, last = names[0], names[-1]
    return first[: next((index for index, char in enumerate(first) if last[index : index + 1] != char), len(first))]


def _as_many_as_fit(losses: list[Loss], room: int) -> str:
    """The stateful first, then as many as there is room for, then the number of the others by type."""
    shown: list[Loss] = []
    step = len(losses)
    rest = _left(losses)
    while step := step // 2:
        more = losses[: len(shown) + step]
        if len(_shortest(more)) + len(_left(losses[len(more) :])) + 2 <= room:
            shown = more
            rest = _left(losses[len(more) :])
    return f"{_shortest(shown)}\n\n{rest}" if shown else folded(rest, max(room, 200))


def _left(losses: list[Loss]) -> str:
    kinds = sorted({loss.type for loss in losses})
    numbers = [f"{sum(loss.type == kind for loss in losses):,} {code(folded(kind, 80))}" for kind in kinds[:40]]
    more = f" and {len(kinds) - 40} more types" if len(kinds) > 40 else ""
    return (
        f"{bold(f'{len(losses):,} more do not fit into a comment')}: {', '.join(numbers)}{more}; `--html` lists them."
    )


WHOLE: tuple[Form, ...] = (_table, _short_table, _list, _by_type)
FACTORED: tuple[Form, ...] = (_factored, _shortened, _shortest)
