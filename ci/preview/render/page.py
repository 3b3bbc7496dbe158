"""A `Preview` as one self-contained page: the comment's sections with nothing cut."""

from __future__ import annotations

from pathlib import Path

from ci.preview.render import wording
from ci.preview.render.destroys import alike
from ci.preview.report import ChangePreview, Preview, Truth
from fonderie.core.page import render

_SIGNS = {"✅": "✓", "❌": "✗", "⚠️": "⚠"}  # those that every machine has a letter for
_WORDS = {
    "alike": alike,
    "counted": wording.counted,
    "dollars": wording.dollars,
    "outside_words": wording.outside_words,
    "policy_words": wording.policy_words,
    "Truth": Truth,
}


def page(preview: Preview) -> str:
    """The page: HTML with its style inside, no script, nothing fetched."""
    sign, line = wording.verdict(preview)
    template = Path(__file__).with_name("preview.html.j2")
    return render(template, title=f"Preview: {line}", sign=_SIGNS[sign], preview=preview, diff=_diff, **_WORDS)


def _diff(change: ChangePreview) -> list[tuple[str, str]]:
    """A change's lines, each with the class that colours it."""
    colours = {"+": "add", "-": "del", "!": "chg"}
    return [(colours.get(line[:1], "same"), line) for line in wording.change_lines(change)]
