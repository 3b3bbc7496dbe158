"""A `Preview` as one self-contained page: the comment's sections with nothing cut."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from ci.preview.render import wording
from ci.preview.render.destroys import alike
from ci.preview.report import Change, Preview, Truth

_SIGNS = {"✅": "✓", "❌": "✗", "⚠️": "⚠"}  # those that every machine has a letter for


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ci.preview.render", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        alike=alike,
        counted=wording.counted,
        dollars=wording.dollars,
        outside_words=wording.outside_words,
        policy_words=wording.policy_words,
        Truth=Truth,
    )
    environment.filters["diff"] = _diff
    return environment


def _diff(change: Change) -> list[tuple[str, str]]:
    """A change's lines, each with the class that colours it."""
    colours = {"+": "add", "-": "del", "!": "chg"}
    return [(colours.get(line[:1], "same"), line) for line in wording.change_lines(change)]


def page(preview: Preview) -> str:
    """The page: HTML with its style inside, no script, nothing fetched."""
    sign, line = wording.verdict(preview)
    return _environment().get_template("page.html.j2").render(preview=preview, sign=_SIGNS[sign], line=line)
