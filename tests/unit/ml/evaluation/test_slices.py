"""Every held-out row is in exactly one slice of a dimension, and every slice can be judged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ml.evaluation.slices import SMALL, UNKNOWN, slices


def rows(**counts: int) -> pa.Table:
    return pa.table({"carrier": [name for name, count in counts.items() for _ in range(count)]})


def sizes(table: pa.Table, least: int) -> dict[str, int]:
    return {name: len(at) for name, at in slices(table, "carrier", least).items()}


def test_small_values_are_pooled_so_that_none_escapes() -> None:
    assert sizes(rows(UA=50, DL=40, OO=6, HA=7), 10) == {SMALL: 13, "DL": 40, "UA": 50}


def test_a_pool_that_is_too_small_takes_the_next_smallest_value_in() -> None:
    assert sizes(rows(UA=50, DL=40, OO=3), 10) == {SMALL: 43, "UA": 50}


def test_too_few_rows_in_all_are_one_slice() -> None:
    assert sizes(rows(UA=4, DL=3), 10) == {SMALL: 7}
    assert sizes(rows(UA=4), 10) == {"UA": 4}


def test_a_missing_value_is_a_value() -> None:
    table = pa.table({"carrier": ["UA"] * 20 + [None] * 15})

    assert sizes(table, 10) == {UNKNOWN: 15, "UA": 20}


def test_no_rows_have_no_slices() -> None:
    assert sizes(pa.table({"carrier": pa.array([], pa.string())}), 10) == {}


@given(st.lists(st.sampled_from(["UA", "DL", "B6", "OO", "HA", None]), max_size=200), st.integers(1, 60))
def test_slices_cut_the_rows_into_parts_that_are_large_enough(values: list[str | None], least: int) -> None:
    found = slices(pa.table({"carrier": pa.array(values, pa.string())}), "carrier", least)

    together = np.sort(np.concatenate([*found.values(), np.array([], dtype=np.int64)]))
    assert together.tolist() == list(range(len(values)))
    assert len(found) <= 1 or min(map(len, found.values())) >= least
