"""What a verdict keeps so that its page can draw a column: few numbers, and none that one extreme value can spoil."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.models import ModelConfig
from ml.monitoring.shapes import BUCKETS, CATEGORIES, shapes
from ml.monitoring.verdict import Shape


def shape_of(config: ModelConfig, before: Any, after: Any) -> Shape | None:
    """Of one numeric column."""
    small = config.model_copy(update={"features": config.features.model_copy(update={"categorical": ()})})
    only = small.model_copy(update={"features": small.features.model_copy(update={"numeric": ("x",)})})
    reference = pd.DataFrame({"x": before, "prediction": 1.0})
    found = {each.subject: each for each in shapes(only, reference, pd.DataFrame({"x": after}), np.ones(3))}
    assert found["prediction"].reference == found["prediction"].current == (1.0,)
    return found.get("x")


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    after=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
)
def test_shares_add_up_and_lie_between_rising_edges(
    config: ModelConfig, before: list[float], after: list[float]
) -> None:
    found = shape_of(config, before, after)
    assert found is not None
    assert len(found.edges) == len(found.reference) + 1 == len(found.current) + 1
    assert len(found.current) <= BUCKETS
    assert list(found.edges) == sorted(found.edges)
    assert sum(found.reference) == pytest.approx(1, abs=1e-3)
    assert sum(found.current) == pytest.approx(1, abs=1e-3)


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.integers(-5000, 5000), min_size=1, max_size=199))
def test_whole_numbers_come_as_many_to_a_bucket(config: ModelConfig, values: list[int]) -> None:
    found = shape_of(config, values, values)
    assert found is not None
    widths = np.diff(found.edges)
    assert len(set(widths)) == 1
    if len(set(values)) > 1:
        assert widths[0] >= 1
        assert widths[0] % 1 == found.edges[0] % 1 == 0
        assert found.edges[0] == min(values)
        assert found.edges[-2] <= max(values) < found.edges[-1]
    assert found.reference == found.current


def test_one_extreme_value_flattens_nothing(config: ModelConfig) -> None:
    rng = np.random.default_rng(0)
    usual = rng.normal(0, 1, 5000)
    found = shape_of(config, usual, [*usual, 1e9, -1e9])
    assert found is not None
    assert -4 < found.edges[0] < found.edges[-1] < 4
    assert max(found.current) < 0.2


def test_a_shift_is_seen_where_it_is(config: ModelConfig) -> None:
    found = shape_of(config, [0.5] * 10 + [9.5] * 30, [0.5] * 30 + [9.5] * 10)
    assert found is not None
    assert (found.reference[0], found.reference[-1]) == (0.25, 0.75)
    assert (found.current[0], found.current[-1]) == (0.75, 0.25)


@pytest.mark.parametrize("nothing", [[np.nan, np.nan], [np.inf], [-1e308, 1e308]])
def test_what_has_no_scale_is_not_drawn(config: ModelConfig, nothing: list[float]) -> None:
    assert shape_of(config, nothing, [1.0, 2.0]) is None


def test_nulls_and_infinities_are_left_out(config: ModelConfig) -> None:
    assert shape_of(config, [1, 2, 3, np.nan], [1, 2, 3, np.inf]) == shape_of(config, [1, 2, 3], [1, 2, 3])


def test_the_categories_that_moved_most_are_named_and_the_others_counted(config: ModelConfig) -> None:
    features = config.features.model_copy(update={"numeric": (), "categorical": ("carrier",)})
    usual = [f"C{number}" for number in range(20) for _ in range(10)]
    reference = pd.DataFrame({"carrier": [*usual, "gone", "gone", None], "prediction": 1.0})
    current = pd.DataFrame({"carrier": [*usual, *["new"] * 20]})
    *_, found = shapes(config.model_copy(update={"features": features}), reference, current, np.ones(3))
    assert found.subject == "carrier"
    assert found.names[0] == "new"
    assert (found.reference[0], found.current[0]) == (0.0, round(20 / 220, 5))
    assert found.reference[found.names.index("gone")] == round(2 / 202, 5)
    assert len(found.names) == CATEGORIES
    assert found.others == 22 - CATEGORIES


def test_what_lies_beyond_the_drawn_range_counts_in_the_outermost_bucket(config: ModelConfig) -> None:
    usual = [0.0] * 500 + [1.0] * 500
    found = shape_of(config, usual, [*usual, 99.0, 99.0, 99.0, 99.0])
    assert found is not None
    assert found.edges == (0, 1, 2)
    assert found.current == (round(500 / 1004, 5), round(504 / 1004, 5))
