"""One HTML page, from sections or a template: style and pictures inside, nothing fetched, in light, dark and on paper.

Every page of the project is made here, so that all look alike: `templates/style.css` is the only style sheet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Section:
    """A titled part of a page. `html` is trusted: make it with `table`, `facts`, `paragraph` and the charts."""

    title: str
    html: Markup
    parts: tuple[Section, ...] = ()

    @property
    def anchor(self) -> str:
        """For links to it: "The gate's checks" is #the-gates-checks."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower().replace("'", "")).strip("-")


def page(title: str, sections: Sequence[Section], *, lead: str = "", made_at: datetime | None = None) -> str:
    """The whole document. `lead` is one plain sentence under the title."""
    at = f"{made_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if made_at else ""
    return render(_TEMPLATES / "sections.html.j2", title=title, lead=lead, sections=sections, made_at=at)


def render(template: Path, /, **values: object) -> str:
    """A template of a page, which extends `page.html.j2`; what it prints of `values` is escaped."""
    return _environment(template.parent).get_template(template.name).render(values)


Cell = str | int | float | None | Markup


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Cell]], *, marked: Iterable[int] = ()) -> Markup:
    """A table with a caption; a column with a number in it is right-aligned, rows numbered in `marked` stand out."""
    cells = [list(row) for row in rows]
    numeric = {place for row in cells for place, cell in enumerate(row) if place and isinstance(cell, int | float)}
    return _macro("table", caption=caption, head=head, rows=cells, marked=set(marked), numeric=numeric)


def facts(pairs: Iterable[tuple[str, Cell]]) -> Markup:
    """Terms and what they are."""
    return _macro("facts", pairs=list(pairs))


def paragraph(text: str) -> Markup:
    """Plain text as a paragraph."""
    return Markup("<p>{}</p>").format(text)


def verdict(good: bool, text: str) -> Markup:
    """A word that says how it went: by sign and colour, never by colour alone."""
    sign, kind = ("✓", "good") if good else ("✗", "bad")
    return Markup('<span class="verdict {}"><span aria-hidden="true">{}</span> {}</span>').format(kind, sign, text)


def number(value: Cell, digits: int = 3) -> str:
    """A number as a person reads it; "–" for none."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _macro(name: str, **values: object) -> Markup:
    return Markup(getattr(_environment(_TEMPLATES).get_template("parts.html.j2").module, name)(**values))


@cache
def _environment(folder: Path) -> Environment:
    """Of the templates in a folder, and of the ones here that they extend."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([folder, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.tests["numeric"] = lambda value: isinstance(value, int | float)
    environment.tests["word"] = lambda value: isinstance(value, str) and " " not in value.strip()
    return environment
