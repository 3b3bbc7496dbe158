"""A document in sections, written as Markdown for a Git host, as HTML for a page and as text for a terminal.

Foreign text stands only in code. In Markdown that is a span or a fence which it cannot leave: nothing in it is
interpreted, no HTML, link, emphasis or @mention (GitHub Flavored Markdown, "Code spans"; mentions are not looked for in
code). What a span or a table cell could not hold goes into `<code>` as entities.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text


class Style(StrEnum):
    """How a part of a line is set."""

    PLAIN = ""
    CODE = "code"
    BOLD = "bold"
    KEY = "bold code"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a line."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Span, ...]


@dataclass(frozen=True)
class Row:
    """One line of a list, or the cells of one of a table.

    When not all rows fit, those of a lower `rank` are kept first; `counts` is what is left out with it, by kind.
    """

    cells: tuple[Line, ...]
    rank: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A titled list of rows, or with `head` a table. `kind` is what the rows count, for those that are left out."""

    title: str
    rows: tuple[Row, ...] = ()
    head: tuple[str, ...] = ()
    notes: tuple[Line, ...] = ()
    kind: str = ""


@dataclass(frozen=True)
class Fold:
    """A part that is folded away: a summary, and blocks of lines whose first sign says what they do."""

    summary: Line
    blocks: tuple[tuple[str, ...], ...]


def line(*parts: str | Span | Iterable[Span]) -> Line:
    """A line of its parts; a text is plain."""
    found: list[Span] = []
    for part in parts:
        if isinstance(part, str):
            found += [Span(part)] if part else []
        elif isinstance(part, Span):
            found.append(part)
        else:
            found += part
    return tuple(found)


def code(text: str) -> Span:
    """Foreign text: a name, an address, a value."""
    return Span(text, Style.CODE)


def bold(text: str) -> Span:
    """Words that stand out."""
    return Span(text, Style.BOLD)


def key(text: str) -> Span:
    """Foreign text that stands out."""
    return Span(text, Style.KEY)


def alarm(text: str) -> Line:
    """A reason to look twice, or nothing."""
    return (Span(" "), Span(text, Style.ALARM)) if text else ()


def listed(names: Sequence[str], most: int | None, kind: str = "") -> Line:
    """Names with commas between, at most so many, and how many more of what there are."""
    shown = names if most is None else names[:most]
    left = len(names) - len(shown)
    spans = [part for name in shown for part in (Span(", "), code(name))][1:]
    if left > 0:
        spans += [Span(f" and {left:,} more"), *([Span(" "), code(kind)] if kind else [])]
    return tuple(spans)


# -- Markdown, in GitHub's and GitLab's dialect

_PLAIN = re.compile(r"[^`|\\<>\n]*")
_PUNCTUATION = re.compile(r"[!-,./:-@\[-`{-~-]")
_BREAKS = {"@": "&#8203;", "#": "&#8203;"}
_SPECIAL = re.compile(r"[!\"#$%&'*+/<=>?@\[\\\]^`{|}~]|\b_|_\b|(?<!\w)_|_(?!\w)")
_FENCES = re.compile(r"`{3,}")


def markdown_code(text: str) -> str:
    """`text` as inline code, in a paragraph, a list or a table cell."""
    if not text.strip():
        return '`""`' if not text else '`" "`'
    if _PLAIN.fullmatch(text):
        return f"`{text}`"
    return f"<code>{_PUNCTUATION.sub(_entity, text)}</code>"


def _entity(match: re.Match[str]) -> str:
    return f"&#{ord(match.group())};"


def markdown_words(text: str) -> str:
    """Text as words: what Markdown or HTML could read is an entity, and an @ or a # refers to no one."""
    return _SPECIAL.sub(lambda match: _entity(match) + _BREAKS.get(match.group(), ""), text)


def markdown(spans: Line) -> str:
    """A line in Markdown."""
    return "".join(map(_markdown_span, spans))


def _markdown_span(span: Span) -> str:
    match span.style:
        case Style.CODE:
            return markdown_code(span.text)
        case Style.KEY:
            return f"**{markdown_code(span.text)}**"
        case Style.BOLD:
            return f"**{markdown_words(span.text)}**"
        case Style.ALARM:
            return f"⚠️ **{markdown_words(span.text)}**"
        case _:
            return markdown_words(span.text)


def markdown_fence(lines: Iterable[str], language: str = "diff") -> str:
    """A fenced block that no line of it can close."""
    lines = list(lines)
    longest = max((len(run) for one in lines for run in _FENCES.findall(one)), default=2)
    marks = "`" * (longest + 1)
    return "\n".join([f"{marks}{language}", *lines, marks])


def markdown_row(section: Section, row: Row) -> str:
    """A row as its line of the section's list or table."""
    cells = [markdown(cell) for cell in row.cells]
    return f"| {' | '.join(cells)} |" if section.head else f"- {cells[0]}"


def markdown_section(section: Section, rows: Sequence[str] | None = None, end: str = "") -> str:
    """A section; `rows` are those kept, already written, and `end` says what is left out."""
    written = [markdown_row(section, row) for row in section.rows] if rows is None else rows
    head = [f"| {' | '.join(section.head)} |", "|" + "---|" * len(section.head)] if section.head and written else []
    parts = ["\n".join([f"#### {section.title}", *head, *written]), *map(markdown, section.notes), end]
    return "\n\n".join(part for part in parts if part)


def markdown_fold(fold: Fold) -> str:
    """A folded part."""
    lines = [text for block in fold.blocks for text in block]
    return f"<details><summary>{html(fold.summary)}</summary>\n\n{markdown_fence(lines)}\n</details>"


# -- HTML

_COLOURS = {"+": "add", "-": "del", "!": "chg"}


def html(spans: Line) -> str:
    """A line in HTML."""
    tags = {Style.CODE: "<code>{}</code>", Style.BOLD: "<b>{}</b>", Style.KEY: "<b><code>{}</code></b>",
            Style.ALARM: '<span class="alarm">⚠ {}</span>', Style.PLAIN: "{}"}  # fmt: skip
    return "".join(tags[span.style].format(escape(span.text)) for span in spans)


def html_section(section: Section) -> str:
    """A section without its title: everything of it."""
    cells = [[html(cell) for cell in row.cells] for row in section.rows]
    parts = []
    if section.head and cells:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in section.head)
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in cells)
        table = f'<table class="addresses"><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>'
        parts.append(f'<div class="scroll">{table}</div>')
    elif cells:
        parts.append("<ul>\n" + "".join(f"<li>{row[0]}</li>\n" for row in cells) + "</ul>")
    return "\n".join([*parts, *(f'<p class="note">{html(note)}</p>' for note in section.notes)])


def html_fold(fold: Fold, *, unfolded: bool) -> str:
    """A folded part, each block with the colours of its lines."""
    blocks = "\n".join(html_lines(block) for block in fold.blocks)
    return f"<details{' open' * unfolded}><summary>{html(fold.summary)}</summary>\n{blocks}\n</details>"


def html_lines(lines: Iterable[str]) -> str:
    """Lines as they are, coloured by their first sign."""
    spans = "".join(f'<span class="{_COLOURS.get(text[:1], "same")}">{escape(text)}</span>' for text in lines)
    return f'<pre class="diff">{spans}</pre>'


# -- a terminal

_STYLES = {Style.CODE: "cyan", Style.BOLD: "bold", Style.KEY: "bold cyan", Style.ALARM: "bold red", Style.PLAIN: ""}
_SIGNS = {"+": "green", "-": "red", "!": "yellow"}


def rich_line(spans: Line) -> Text:
    """A line for a terminal."""
    from rich.text import Text

    return Text.assemble(
        *((f"! {span.text}" if span.style is Style.ALARM else span.text, _STYLES[span.style]) for span in spans)
    )


def rich_section(section: Section) -> Iterable[RenderableType]:
    """A section for a terminal."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    yield Text(f"\n{section.title}", "bold")
    if section.head and section.rows:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for name in section.head:
            table.add_column(name, overflow="fold")
        for row in section.rows:
            table.add_row(*map(rich_line, row.cells))
        yield Padding(table, (0, 0, 0, 2))
    else:
        for row in section.rows:
            yield Padding(rich_line(row.cells[0]), (0, 0, 0, 2))
    for note in section.notes:
        yield Padding(rich_line(note), (0, 0, 0, 2))


def rich_fold(fold: Fold) -> Iterable[RenderableType]:
    """A folded part for a terminal, unfolded."""
    from rich.text import Text

    yield Text("\n").append_text(rich_line(fold.summary))
    for text in (text for block in fold.blocks for text in block):
        yield Text(f"  {text}", _SIGNS.get(text[:1], ""))
