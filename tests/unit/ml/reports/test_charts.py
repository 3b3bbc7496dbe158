"""Charts escape what they are told, are named for screen readers, and read without colours."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from ml.reports.charts import Bar, Line, bars, heat, lines

EVIL = "<script>alert('x')</script> & \"quoted\""


def test_text_from_outside_is_escaped_everywhere() -> None:
    text = bars(EVIL, EVIL, [Bar(EVIL, 1.0)], legend=(EVIL, EVIL)) + lines(EVIL, "", [EVIL], [Line(EVIL, [1.0])])

    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 7


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
