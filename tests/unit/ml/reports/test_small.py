"""Small pictures: inside their frame, to one scale, and with every text escaped."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from ml.reports.small_charts import BOTTOM, HEIGHT, NAMES, TOP, WIDTH, distributions, shares, trend

EVIL = "<script>alert('x')</script>"
SHARES = st.lists(st.floats(0, 1), min_size=2, max_size=24)


def svg(picture: Markup) -> ElementTree.Element:
    found = ElementTree.fromstring(str(picture)).find("svg")
    assert found is not None
    return found


def heights(picture: Markup) -> list[float]:
    return [float(rect.get("height", "nan")) for rect in svg(picture).iter("rect")]


@given(reference=SHARES, current=SHARES)
def test_buckets_stand_on_the_floor_and_inside_the_frame(reference: list[float], current: list[float]) -> None:
    size = min(len(reference), len(current))
    drawn = svg(distributions("d", list(range(size + 1)), reference[:size], current[:size]))
    for rect in drawn.iter("rect"):
        x, y, width, height = (float(rect.get(name, "nan")) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + width <= WIDTH
        assert TOP - 0.1 <= y <= BOTTOM + 0.1
        assert abs(y + height - BOTTOM) < 0.2
    (line,) = [path.get("d", "") for path in drawn.iter("path") if path.get("class") == "line-two"]
    assert line.startswith("M4.0 ")
    assert all(TOP - 0.1 <= float(y) <= BOTTOM + 0.1 for y in re.findall(r"V([\d.]+)", line))


def test_both_sides_have_one_scale() -> None:
    picture = distributions("d", [0, 1, 2], [0.5, 0.25], [1.0, 0.0])
    full = BOTTOM - TOP
    assert heights(picture) == [full / 2, full / 4]
    assert f"V{TOP:.1f}H160.0V{BOTTOM:.1f}H{WIDTH - 4:.1f}V{BOTTOM}" in str(picture)


def test_one_value_is_a_bar_in_the_middle() -> None:
    (rect,) = svg(distributions("d", [3, 3], [1.0], [1.0])).iter("rect")
    assert float(rect.get("x", "nan")) + float(rect.get("width", "nan")) / 2 == WIDTH / 2 - 0.25


def test_a_category_that_has_gone_has_a_tick_at_nothing() -> None:
    drawn = svg(shares("s", ["gone", "new"], [0.5, 0.0], [0.0, 0.25], rest="and 2 more, 75 %"))
    bars = [rect for rect in drawn.iter("rect") if rect.get("class") == "one"]
    ticks = [rect for rect in drawn.iter("rect") if rect.get("class") == "two"]
    assert float(bars[1].get("width", "nan")) == 0
    assert float(ticks[0].get("x", "nan")) == NAMES - 1.5
    assert [text.text for text in drawn.iter("text")] == ["gone", "0 %", "new", "25 %", "and 2 more, 75 %"]


def test_a_trend_is_broken_where_nothing_was_measured_and_marks_what_reaches_its_limit() -> None:
    drawn = svg(trend("t", ["a", "b", "c", "d"], [0.1, None, 0.5, 0.5], [0.2, 0.2, 0.5, None], [2]))
    lines = {path.get("class"): path.get("d", "") for path in drawn.iter("path") if "line" in path.get("class", "")}
    assert lines["line-two"].count("M") == 2
    assert lines["line-two"].count("L") == 1
    assert lines["line-soft"].count("M") == 1
    assert [circle.get("class") for circle in drawn.iter("circle")] == ["paper", "two", "paper"]
    assert all(0 <= float(circle.get("cy", "nan")) <= HEIGHT for circle in drawn.iter("circle"))


def test_a_trend_of_nothing_is_empty_but_a_picture() -> None:
    drawn = svg(trend("t", ["a"], [None], [None], []))
    assert not list(drawn.iter("circle"))


def test_text_is_escaped() -> None:
    for picture in (
        distributions(EVIL, [0, 1], [1.0], [1.0]),
        shares(EVIL, [EVIL], [1.0], [1.0], rest=EVIL),
        trend(EVIL, [EVIL, EVIL], [1.0, 1.0], [None, None], []),
    ):
        assert "<script" not in str(picture)
        assert "&lt;script" in str(picture)
