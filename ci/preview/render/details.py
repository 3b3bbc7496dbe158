"""The folded part of the comment: each changed stack, change by change, as far as there is room."""

from __future__ import annotations

from html import escape

from ci.preview.masking.printable import folded
from ci.preview.render.markdown import details, fence
from ci.preview.render.wording import attribute_lines, change_lines, counted
from ci.preview.report import Preview, StackPreview

_SMALLEST = 300  # a fold with less room than this is not worth opening


def details_of(preview: Preview, room: int) -> str:
    """A fold a changed stack; the room is shared, and what a stack does not need goes to the next."""
    stacks = [stack for stack in preview.stacks if stack.changes or stack.outputs]
    # The short ones first, so that a long one does not take their room; shown in their own order.
    by_size = sorted(stacks, key=lambda stack: len(stack.changes))
    folds: dict[tuple[str, str], str] = {}
    for done, stack in enumerate(by_size):
        share = room // (len(by_size) - done)
        text = _fold(stack, share) if share >= _SMALLEST else ""
        if text:
            folds[stack.environment, stack.name] = text
            room -= len(text) + 2
    keys = [(stack.environment, stack.name) for stack in stacks]
    left = [key for key in keys if key not in folds]
    parts = [folds[key] for key in keys if key in folds]
    if left and room > 100:
        parts.append(f"*Details of {len(left)} stacks are left out for length: `fonderie preview --html` has them.*")
    return "\n\n".join(parts)


def _fold(stack: StackPreview, room: int) -> str:
    counts = counted(stack.counts()) or "outputs only"
    summary = f"<b>{escape(folded(stack.name, 80))}</b> {counts}"
    overhead = len(details(summary, fence([]))) + 120
    lines = _lines(stack, room - overhead)
    text = details(summary, fence(lines)) if lines else ""
    return text if len(text) <= room else ""


def _lines(stack: StackPreview, room: int) -> list[str]:
    lines: list[str] = []
    for index, change in enumerate(stack.changes):
        block = change_lines(change)
        size = sum(len(line) + 1 for line in block)
        if size > room - 80:
            block = [f"{block[0]} …"] if len(block) > 1 else block
            size = len(block[0]) + 1
        if size > room - 80:
            return [*lines, f"… and {len(stack.changes) - index:,} more changes: `fonderie preview --html` has them"]
        lines += block
        room -= size
    for item in stack.outputs:
        block = attribute_lines(item)
        size = sum(len(line) + 1 for line in block)
        if size <= room - 80:
            lines += [f"{line[0]} output {line[1:].strip()}" for line in block[:1]] + block[1:]
            room -= size
    return lines
