"""Drift measures: TFDV's published vectors, what is defined at the edges, and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from fonderie.core.errors import BadDataError
from ml.monitoring.drift import (
    Bucket,
    Histogram,
    counts_of,
    histogram,
    jensen_shannon,
    jensen_shannon_categories,
    l_infinity,
    psi,
)

TWO_TO_SIX: tuple[Bucket, ...] = ((2, 4, 2), (4, 6, 2))

# tensorflow/data-validation, anomalies/metrics_test.cc: reference buckets, NaN, current buckets, NaN, expected.
TFDV = {
    "DifferentBucketBoundaries": (((1, 2, 2), (2, 3, 2)), 0, TWO_TO_SIX, 0, 0.65563906222),
    "NoOverlap": (((0, 1, 2), (1, 2, 2)), 0, ((3, 4, 2), (4, 6, 2)), 0, 1.0),
    "OneHasAllValuesInOneBucket": (((1, 1, 4),), 0, TWO_TO_SIX, 0, 1.0),
    "BothHaveAllValuesInOneBucket": (((1, 1, 4),), 0, ((2, 2, 4),), 0, 1.0),
    "OneHasOneBucketTheOtherHasMany": (((10, 10, 21),), 0, ((0, 4, 150), (4, 12, 200), (12, 20, 20)), 0, 1.0),
    "WithNaNs": (((1, 2, 3),), 1, ((1, 2, 4),), 0, 0.13792538096),
}

# The same file, LInftyDistanceTest.
TFDV_L_INFINITY: list[tuple[dict[str, float], dict[str, float], float]] = [
    ({}, {}, 0.0),
    ({"hello": 0.1, "world": 0.9}, {"hello": 0.3, "world": 0.7}, 0.2),
    ({"b": 0.9, "c": 0.1}, {"a": 0.3, "b": 0.7}, 0.3),
    ({"a": 0.3, "b": 0.7}, {"b": 0.9, "c": 0.1}, 0.3),
]

numbers = st.floats(allow_nan=True, allow_infinity=True)
finite = st.floats(allow_nan=False, allow_infinity=False)
columns = st.lists(numbers, min_size=1, max_size=40)
finite_columns = st.lists(finite, min_size=1, max_size=40)
categories = st.dictionaries(st.text(max_size=3), st.integers(1, 10**6), min_size=1, max_size=8)


@pytest.mark.parametrize("name", TFDV)
def test_jensen_shannon_gives_the_published_value_of_tfdv(name: str) -> None:
    a, a_nan, b, b_nan, expected = TFDV[name]
    assert jensen_shannon(Histogram(a, a_nan), Histogram(b, b_nan)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("reference", "current", "expected"), TFDV_L_INFINITY)
def test_l_infinity_gives_the_published_value_of_tfdv(
    reference: dict[str, float], current: dict[str, float], expected: float
) -> None:
    assert l_infinity(reference, current) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("empty", [Histogram(()), Histogram(((0, 4, 0),))])
def test_an_empty_side_is_refused_as_tfdv_refuses_it(empty: Histogram) -> None:
    full = Histogram(((0, 4, 10),))
    for sides in ((empty, full), (full, empty)):
        with pytest.raises(BadDataError):
            jensen_shannon(*sides)


def test_nan_and_infinity_never_match_those_of_the_other_side() -> None:
    nulls = histogram([1.0, 2.0, math.nan, math.nan])
    assert jensen_shannon(nulls, nulls) == pytest.approx(0.5)
    assert jensen_shannon(Histogram(nulls.buckets), Histogram(nulls.buckets)) == 0
    endless = histogram([1.0, 2.0, math.inf, -math.inf])
    assert jensen_shannon(endless, endless) == pytest.approx(0.5)


def test_nan_counts_also_when_the_boundaries_differ() -> None:
    without, with_nan = histogram([0.0, 10.0] * 5), histogram([0.0, 11.0] * 5 + [math.nan] * 10)
    assert jensen_shannon(without, with_nan) > jensen_shannon(without, Histogram(with_nan.buckets)) + 0.1


def test_columns_of_nan_only_share_nothing() -> None:
    assert jensen_shannon(histogram([math.nan]), histogram([1.0, 2.0])) == 1


def test_a_histogram_has_ten_equal_buckets_and_the_last_one_is_closed() -> None:
    made = histogram(np.arange(101.0))
    assert [(low, high) for low, high, _ in made.buckets] == [(10.0 * i, 10.0 * (i + 1)) for i in range(10)]
    assert [count for _, _, count in made.buckets] == [10.0] * 9 + [11.0]


def test_constant_columns_are_equal_or_wholly_different() -> None:
    assert histogram([3.0] * 5).buckets == ((3, 3, 5),)
    assert jensen_shannon(histogram([3.0] * 5), histogram([3.0] * 9)) == 0
    assert jensen_shannon(histogram([3.0] * 5), histogram([4.0] * 5)) == 1


@pytest.mark.parametrize("column", [[0.0, 5e-324, 1e-323], [-1.7e308, 1.7e308], [1.0, math.nextafter(1.0, 2.0)]])
def test_columns_at_the_edge_of_the_floats_are_measured(column: list[float]) -> None:
    made = histogram(column)
    assert made.total == len(column)
    assert jensen_shannon(made, made) == 0


def test_a_column_wider_than_any_float_still_has_ten_buckets() -> None:
    assert [count for _, _, count in histogram([-1.7e308, 0.0, 1.7e308]).buckets] == [1, 0, 0, 0, 0, 1, 0, 0, 0, 1]


def test_bucketed_divergence_is_the_square_of_scipys_distance_on_the_same_buckets() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.integers(1, 100, 10), rng.integers(1, 100, 10)
    sides = [Histogram(tuple((float(i), float(i + 1), float(n)) for i, n in enumerate(counts))) for counts in (a, b)]
    assert jensen_shannon(*sides) == pytest.approx(jensenshannon(a, b, base=2) ** 2)
    named = [{str(i): float(n) for i, n in enumerate(counts)} for counts in (a, b)]
    assert jensen_shannon_categories(*named) == pytest.approx(jensenshannon(a, b, base=2) ** 2)


def test_an_unseen_category_counts_with_its_whole_share() -> None:
    assert l_infinity({"UA": 80, "DL": 20}, {"UA": 80, "XX": 20}) == pytest.approx(0.2)
    assert jensen_shannon_categories({"UA": 1}, {"XX": 1}) == 1


def test_nulls_are_no_category() -> None:
    assert counts_of(["EWR", None, math.nan, "JFK", "EWR"]) == ({"EWR": 2, "JFK": 1}, 2)


def test_psi_agrees_with_what_is_known() -> None:
    a = np.random.default_rng(2).normal(size=3000)
    halves = psi([0.0] * 50 + [1.0] * 50, [0.0] * 25 + [1.0] * 75)
    assert halves == pytest.approx(0.25 * math.log(2) + 0.25 * math.log(1.5))
    assert psi(a, [math.nan] * 10) > 5
    with pytest.raises(BadDataError):
        psi(a, [])


@given(finite_columns)
def test_nothing_differs_from_itself(column: list[float]) -> None:
    made = histogram(column)
    assert jensen_shannon(made, made) == 0
    assert psi(column, column) == 0


@given(columns, columns)
@settings(max_examples=200)
def test_divergence_is_symmetric_and_bounded(left: list[float], right: list[float]) -> None:
    a, b = histogram(left), histogram(right)
    there, back = jensen_shannon(a, b), jensen_shannon(b, a)
    assert there == pytest.approx(back, abs=1e-12)
    assert 0 <= there <= 1
    assert a.total == len(left)


@given(categories, categories)
def test_categories_are_symmetric_bounded_and_zero_on_themselves(left: dict[str, int], right: dict[str, int]) -> None:
    for measure in (l_infinity, jensen_shannon_categories):
        assert measure(left, right) == pytest.approx(measure(right, left), abs=1e-12)
        assert 0 <= measure(left, right) <= 1
        assert measure(left, left) == 0


@given(finite_columns, columns)
def test_psi_is_never_negative(left: list[float], right: list[float]) -> None:
    assert psi(left, right) >= 0


@given(st.lists(st.integers(-1000, 1000).map(float), min_size=2, max_size=60), st.integers(2, 5))
def test_copies_of_the_rows_change_nothing(column: list[float], times: int) -> None:
    assert jensen_shannon(histogram(column), histogram(column * times)) == pytest.approx(0, abs=1e-12)
