"""A page is one file, escapes what it is told, and reads without colours or pictures."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from markupsafe import Markup

from fonderie.core.page import Section, facts, page, paragraph, table, verdict

EVIL = "<script>alert('x')</script> & \"quoted\""


def test_text_from_outside_is_escaped_everywhere() -> None:
    html = paragraph(EVIL) + facts([(EVIL, EVIL)]) + table(EVIL, [EVIL], [[EVIL]]) + verdict(True, EVIL)

    text = page(EVIL, [Section(EVIL, html), Section(EVIL, Markup(""))], lead=EVIL)

    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 14


def test_a_page_loads_nothing_and_links_to_its_sections() -> None:
    text = page(
        "A page",
        [Section("One's own", Markup("<p>1</p>")), Section("Two", Markup(""))],
        made_at=datetime(2013, 4, 1, tzinfo=UTC),
    )

    assert 'href="#ones-own"' in text
    assert 'id="ones-own"' in text
    assert "Made by Fonderie, 2013-04-01 00:00 UTC." in text
    assert not any(outside in text for outside in ("http:", "https:", "src=", "@import", "<link"))
    assert "prefers-color-scheme:dark" in text


def test_a_table_has_a_caption_and_row_and_column_heads() -> None:
    made = table("What it is", ["name", "value"], [["a", 1234.5], ["b", None]], marked=[1])
    tree = ElementTree.fromstring(str(made))

    assert tree.findtext(".//caption") == "What it is"
    assert [head.get("scope") for head in tree.iter("th")] == ["col", "col", "row", "row"]
    assert [cell.text for cell in tree.iter("td")] == ["1,234.500", "–"]
    assert [row.get("class") for row in tree.findall(".//tbody/tr")] == [None, "marked"]


def test_a_column_with_a_number_is_aligned_as_one_and_months_are_never_broken() -> None:
    made = table("", ["month", "limit", "why"], [["2013-04", 0.5, "it is so"], ["2013-05", "origin", "2013-06"]])
    tree = ElementTree.fromstring(str(made))

    assert [cell.get("class") for cell in tree.findall(".//tbody//*[@class]")] == [
        "word", "number",
        "word", "number", "word",
    ]  # fmt: skip
