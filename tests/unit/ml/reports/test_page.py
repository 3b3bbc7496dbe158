"""A page is one file, escapes what it is told, and reads without colours or pictures."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from ml.reports.charts import Bar, Line, bars, heat, lines
from ml.reports.page import Section, facts, page, paragraph, table, verdict

EVIL = "<script>alert('x')</script> & \"quoted\""


def test_text_from_outside_is_escaped_everywhere() -> None:
    sections = [
        Section(EVIL, paragraph(EVIL) + facts([(EVIL, EVIL)]) + table(EVIL, [EVIL], [[EVIL]]) + verdict(True, EVIL)),
        Section(
            "charts",
            bars(EVIL, EVIL, [Bar(EVIL, 1.0)], legend=(EVIL, EVIL)) + lines(EVIL, "", [EVIL], [Line(EVIL, [1.0])]),
        ),
    ]

    text = page(EVIL, sections, lead=EVIL)

    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 15


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


def test_numbers_in_charts_are_written_out_and_both_sides_of_a_comparison_are_told() -> None:
    alone, compared = bars("b", "", [Bar("x", 13580.0)]), bars("b", "", [Bar("x", 7.01, other=8.87)])

    assert "13,580</text>" in alone
    assert "e+" not in alone
    assert "7.01 vs 8.87</text>" in compared


@pytest.mark.parametrize(
    "chart",
    [
        bars("b", "min", [Bar("x", 1.0, 0.5, 1.5, 2.0), Bar("none", math.nan), Bar("down", -3.0)]),
        bars("empty", "", []),
        lines("l", "min", ["1", "2", "3"], [Line("a", [1.0, None, 3.0]), Line("b", [None, None, None])]),
        lines("none", "", [], []),
        heat("h", "min", np.array([1.0, 2.0, 2.0]), np.array([1.5, 2.0, 1.0])),
        heat("one value", "min", np.array([0.0]), np.array([0.0])),
    ],
    ids=["bars", "no bars", "lines", "no lines", "heat", "one point"],
)
def test_charts_are_well_formed_and_named_for_screen_readers(chart: Markup) -> None:
    tree = ElementTree.fromstring(str(chart))
    picture = tree.find("svg")

    assert picture is not None
    assert picture.get("role") == "img"
    assert picture.get("aria-label")
    assert tree.findtext("figcaption")
    assert "nan" not in str(chart)


def test_bars_are_as_long_as_their_values() -> None:
    tree = ElementTree.fromstring(str(bars("b", "", [Bar("one", 1.0), Bar("two", 2.0)])))
    widths = [float(shape.get("width") or 0) for shape in tree.iter("rect") if shape.get("class") == "one"]

    assert widths[1] == pytest.approx(2 * widths[0], rel=0.01)
