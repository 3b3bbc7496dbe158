"""Foreign text inside Markdown: always in a code span or a fence it cannot leave.

In a code span nothing is interpreted: no HTML, links, emphasis or @mentions (GitHub Flavored Markdown, "Code spans";
mentions are not looked for in code). What a span or a table cell could not hold goes into `<code>` as entities.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLAIN = re.compile(r"[^`|\\<>\n]*")
_PUNCTUATION = re.compile(r"[!-,./:-@\[-`{-~-]")
_BREAKS = {"@": "&#8203;", "#": "&#8203;"}
_SPECIAL = re.compile(r"[!\"#$%&'*+/<=>?@\[\\\]^`{|}~]|\b_|_\b|(?<!\w)_|_(?!\w)")
_FENCES = re.compile(r"`{3,}")


def code(text: str) -> str:
    """`text` as inline code, in a paragraph, a list or a table cell."""
    if not text.strip():
        return '`""`' if not text else '`" "`'
    if _PLAIN.fullmatch(text):
        return f"`{text}`"
    return f"<code>{_PUNCTUATION.sub(_entity, text)}</code>"


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match.group())};"


def bold(text: str) -> str:
    """`text` as bold code."""
    return f"**{code(text)}**"


def words(text: str) -> str:
    """Text as words: what Markdown or HTML could read is an entity, and an @ or a # refers to no one."""
    return _SPECIAL.sub(lambda match: _entity(match) + _BREAKS.get(match.group(), ""), text)


def fence(lines: list[str], language: str = "diff") -> str:
    """A fenced block that no line of it can close."""
    longest = max((len(run) for line in lines for run in _FENCES.findall(line)), default=2)
    marks = "`" * (longest + 1)
    return "\n".join([f"{marks}{language}", *lines, marks])


def details(summary: str, body: str) -> str:
    """A folded part; `summary` is already HTML."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n</details>"


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of cells that are already escaped."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])
