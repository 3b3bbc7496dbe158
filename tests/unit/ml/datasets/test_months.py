from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonderie.core.errors import BadInputError
from ml.datasets.months import Month

months = st.builds(Month, st.integers(1990, 2100), st.integers(1, 12))


@given(months)
def test_a_month_reads_back_what_it_writes(month: Month) -> None:
    assert Month.parse(str(month)) == month


@given(months, st.integers(-500, 500))
def test_shifting_there_and_back_changes_nothing(month: Month, by: int) -> None:
    assert month.shift(by).shift(-by) == month
    assert month.next.previous == month


@given(months, st.floats(0.001, 0.999))
def test_the_holdout_is_the_tail_and_leaves_days_to_train_on(month: Month, fraction: float) -> None:
    start = month.holdout_from(fraction)
    assert 2 <= start <= month.days


def test_the_holdout_of_thirty_per_cent_of_april_is_its_last_nine_days() -> None:
    assert Month(2013, 4).holdout_from(0.3) == 22


def test_the_last_day_knows_leap_years() -> None:
    assert Month(2012, 2).last_day == date(2012, 2, 29)
    assert Month(2013, 2).days == 28


@pytest.mark.parametrize(
    "text", ["2013", "2013-4", "2013-13", "2013-00", "13-04", "2013/04", "2013-04-01", "", "0000-01"]
)
def test_what_is_no_month_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(BadInputError) as error:
        Month.parse(text)
    assert error.value.hint == "want YYYY-MM, such as 2013-04"
