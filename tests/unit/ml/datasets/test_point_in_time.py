"""No feature sees the future: change what is not known yet at some minute, and every feature up to it stays.

What is known at minute t: the timetable and the weather up to t; of a flight, its departure once it has left and its
labels once it has landed. A row of the weather's hour 14 was observed at 14:51, as these airports report.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ml.datasets.months import Month
from ml.datasets.schema import Dataset
from ml.features.catalogue import CATALOGUE
from tests.flights import CARRIERS, MEASURES, ORIGINS, ROUTES
from tests.unit.ml.datasets.everything import computed, everything, invented_tables

MONTHS = [Month(2013, 1), Month(2013, 2)]
TABLES = invented_tables(MONTHS)
CONFIG = everything()
BEFORE = computed(CONFIG, TABLES)
EPOCH = pd.Timestamp("1970-01-01")
REPORTED_AT = 51

Frame = pd.DataFrame


def minutes(frame: Frame) -> pd.Series:
    """Minute numbers of the rows' own clock."""
    days = (pd.to_datetime(frame[["year", "month", "day"]]) - EPOCH).dt.days
    return days * 1440 + frame["hour"] * 60 + frame.get("minute", REPORTED_AT)


def left(flights: Frame) -> pd.Series:
    """Minute of departure; cancelled flights never leave."""
    return minutes(flights) + flights["dep_delay"].fillna(np.inf)


def landed(flights: Frame) -> pd.Series:
    """Minute of landing, without taxiing."""
    return left(flights) + flights["air_time"].fillna(np.inf)


FIRST, LAST = int(minutes(TABLES[Dataset.FLIGHTS]).min()), int(minutes(TABLES[Dataset.FLIGHTS]).max())


def drop_later_flights(t: int, flights: Frame, weather: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    return flights[minutes(flights) <= t], weather


def drop_later_weather(t: int, flights: Frame, weather: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    return flights, weather[minutes(weather) <= t]


def double_later_flights(t: int, flights: Frame, weather: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    later = flights[minutes(flights) > t]
    return pd.concat([flights, later.assign(flight=later["flight"] + 1000)], ignore_index=True), weather


def scramble_later_flights(t: int, flights: Frame, weather: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    flights, late = flights.copy(), minutes(flights) > t
    count = int(late.sum())
    flights.loc[late, "origin"] = rng.choice(ORIGINS, count)
    flights.loc[late, "dest"] = rng.choice(list(ROUTES), count)
    flights.loc[late, "carrier"] = rng.choice(CARRIERS, count)
    flights.loc[late, "tailnum"] = "N0"
    for label in ("air_time", "arr_delay", "dep_delay"):
        flights.loc[late, label] = rng.uniform(0, 900, count)
    return flights, weather


def scramble_later_weather(t: int, flights: Frame, weather: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    weather, late = weather.copy(), minutes(weather) > t
    for name, (low, high) in MEASURES.items():
        weather.loc[late, name] = rng.uniform(low, high, int(late.sum()))
    return flights, weather


def other_labels(t: int, flights: Frame, weather: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Flights not landed yet, the one being asked about among them, land at another time after t."""
    flights, late = flights.copy(), landed(flights) > t
    earliest = (t + 1 - left(flights)).clip(lower=5).where(np.isfinite(left(flights)), 5)
    flights.loc[late, "air_time"] = (earliest + rng.uniform(0, 600, len(flights)))[late]
    flights.loc[late, "arr_delay"] = rng.uniform(-60, 900, int(late.sum()))
    flights.loc[late, "arr_time"] = 1200.0
    unborn = late & flights["dep_delay"].isna()
    flights.loc[unborn, "dep_delay"] = (t + 1 - minutes(flights)).clip(lower=0)[unborn]
    return flights, weather


def other_departures(t: int, flights: Frame, weather: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    """Flights that have not left yet leave at another time after t."""
    flights, late = flights.copy(), left(flights) > t
    earliest = (t + 1 - minutes(flights)).clip(lower=-20)
    flights.loc[late, "dep_delay"] = (earliest + rng.uniform(0, 600, len(flights)))[late]
    flights.loc[late, "dep_time"] = 1200.0
    return flights, weather


def never_landed(t: int, flights: Frame, weather: Frame, rng: np.random.Generator) -> tuple[Frame, Frame]:
    flights, late = flights.copy(), landed(flights) > t
    flights.loc[late, ["air_time", "arr_delay", "arr_time"]] = np.nan
    return flights, weather


CHANGES = (
    drop_later_flights,
    drop_later_weather,
    double_later_flights,
    scramble_later_flights,
    scramble_later_weather,
    other_labels,
    other_departures,
    never_landed,
)


@pytest.mark.parametrize("how", CHANGES, ids=lambda how: how.__name__)
@settings(max_examples=4, deadline=None, phases=[Phase.generate])  # shrinking a minute number tells nothing
@given(t=st.integers(FIRST + 20 * 1440, LAST), seed=st.integers(0, 2**32 - 1))
def test_no_feature_sees_the_future(how, t: int, seed: int) -> None:
    flights, weather = how(t, TABLES[Dataset.FLIGHTS], TABLES[Dataset.WEATHER], np.random.default_rng(seed))
    after = computed(CONFIG, TABLES | {Dataset.FLIGHTS: flights, Dataset.WEATHER: weather})
    known = BEFORE[BEFORE.index.get_level_values(0) * 1440 + BEFORE["sched_dep_min"] <= t]
    pd.testing.assert_frame_equal(after.loc[known.index].drop(columns="target"), known.drop(columns="target"))


def test_the_changes_above_do_reach_features_of_later_flights() -> None:
    t = FIRST + 40 * 1440
    for how in CHANGES:
        flights, weather = how(t, TABLES[Dataset.FLIGHTS], TABLES[Dataset.WEATHER], np.random.default_rng(0))
        after = computed(CONFIG, TABLES | {Dataset.FLIGHTS: flights, Dataset.WEATHER: weather})
        assert not after.drop(columns="target").equals(BEFORE.drop(columns="target")), how.__name__


def test_a_label_is_no_feature() -> None:
    flights = TABLES[Dataset.FLIGHTS].assign(air_time=np.nan, arr_delay=np.nan, dep_delay=np.nan, dep_time=np.nan)
    blind = computed(CONFIG, TABLES | {Dataset.FLIGHTS: flights.assign(arr_time=np.nan)})
    changed = {name for name in BEFORE.columns if not blind[name].equals(BEFORE[name])}
    made_of_labels = {name for name in CATALOGUE if CATALOGUE[name].family in ("routes", "departures")}
    assert changed == {"target", *made_of_labels}


def test_a_flight_reads_the_report_of_the_minute_before_and_no_later_one() -> None:
    at_51, at_52 = (
        computed(CONFIG, TABLES | {Dataset.FLIGHTS: TABLES[Dataset.FLIGHTS].assign(hour=14, minute=minute)})
        for minute in (51, 52)
    )
    reports = TABLES[Dataset.WEATHER].assign(day_number=minutes(TABLES[Dataset.WEATHER]) // 1440)
    reports = reports.set_index(["origin", "day_number", "hour"])["temp"]
    for flights, hour in ((at_51, 13), (at_52, 14)):
        keys = [(origin, day, hour) for origin, (day, _) in zip(flights["origin"], flights.index, strict=True)]
        known = reports.reindex(pd.MultiIndex.from_tuples(keys)).to_numpy()
        there = ~np.isnan(known)
        assert there.sum() > 1000
        assert (flights["temp"].to_numpy()[there] == known[there]).all()
