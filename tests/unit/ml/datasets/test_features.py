from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ml.datasets.months import Month
from ml.datasets.schema import Dataset
from ml.features.catalogue import CATALOGUE, LABELS, FeatureKind, feature, feature_definitions
from ml.features.lookups import FEED_AGE_DAYS, OBSERVATION_AGE_H, TAXI_ALLOWANCE_MIN
from ml.features.queries import feature_hash
from ml.features.tables import day_number
from ml.models import load_model
from tests.unit.ml.datasets.everything import computed, everything, features_of, invented_tables

MONTHS = [Month(2013, 1), Month(2013, 2)]
TABLES = invented_tables(MONTHS)
FLIGHTS, WEATHER, PLANES = (TABLES[name] for name in (Dataset.FLIGHTS, Dataset.WEATHER, Dataset.PLANES))
RESULT = computed(everything(), TABLES)


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    days = (pd.to_datetime(frame[["year", "month", "day"]]) - pd.Timestamp("1970-01-01")).dt.days
    return frame.assign(day_number=days, at=days * 1440 + frame["hour"] * 60 + frame.get("minute", 0))


@pytest.fixture(scope="module")
def some() -> pd.DataFrame:
    """Sixty flights over both months, to be checked one by one."""
    return numbered(FLIGHTS).sample(60, random_state=3)


def mean_of(rows: pd.DataFrame, label: str) -> float:
    return float(rows[label].mean()) if len(rows) else np.nan


def service_day(minute: pd.Series | float) -> pd.Series | float:
    return (minute - 300) // 1440


def landed_flights() -> pd.DataFrame:
    flights = numbered(FLIGHTS).dropna(subset=["air_time"])
    landing = flights["at"] + flights["dep_delay"].clip(lower=0) + flights["air_time"] + TAXI_ALLOWANCE_MIN
    return flights.assign(landed_day=service_day(landing))


def test_means_are_those_of_the_flights_landed_in_the_days_before(some: pd.DataFrame) -> None:
    flights = landed_flights()
    night = 0
    for row in some.itertuples():
        today = service_day(row.at)
        night += today < row.day_number
        got = RESULT.loc[(row.day_number, row.flight)]
        before = flights[flights["landed_day"] < today]
        route = before[(before["origin"] == row.origin) & (before["dest"] == row.dest)]
        airline = before[(before["origin"] == row.origin) & (before["carrier"] == row.carrier)]
        for name in CATALOGUE:
            kind, label, days = (name.split("_")[0], "_".join(name.split("_")[1:-1]), name.split("_")[-1])
            if kind in ("route", "carrier") and days in ("28d", "7d", "1d"):
                past = {"route": route, "carrier": airline}[kind]
                past = past[past["landed_day"] >= today - int(days[:-1])]
                assert got[name] == pytest.approx(mean_of(past, label), nan_ok=True), name
    assert night > 0


def time_zone(row: Any) -> float:
    arrival = row.sched_arr_time // 100 * 60 + row.sched_arr_time % 100
    block = (arrival - row.hour * 60 - row.minute) % 1440
    return (row.distance / 7.5 + 70 - block) // 60


def test_the_excess_of_a_time_zone_is_over_the_mean_that_was_known_of_each_route_at_the_time(
    some: pd.DataFrame,
) -> None:
    flights = landed_flights()
    flights["zone"] = [time_zone(row) for row in flights.itertuples()]
    usual = RESULT["route_air_time_28d"].reindex(pd.MultiIndex.from_frame(flights[["day_number", "flight"]]))
    flights["excess"] = flights["air_time"].to_numpy() - usual.to_numpy()
    assert flights["zone"].nunique() > 1
    for row in some.itertuples():
        today = service_day(row.at)
        past = flights[(flights["zone"] == time_zone(row)) & (flights["landed_day"] < today)].dropna(subset=["excess"])
        got = RESULT.loc[(row.day_number, row.flight)]
        for days in (1, 3):
            expected = mean_of(past[past["landed_day"] >= today - days], "excess")
            assert got[f"time_zone_excess_{days}d"] == pytest.approx(expected, nan_ok=True, abs=1e-3)


def test_departure_delays_are_those_of_the_flights_that_left_one_to_three_hours_before(some: pd.DataFrame) -> None:
    flights = numbered(FLIGHTS).dropna(subset=["dep_delay"])
    flights["left"] = flights["at"] + flights["dep_delay"]
    assert (flights["dep_delay"] < 0).any()
    for row in some.itertuples():
        quarter = flights["left"] // 15 - row.at // 15
        near = flights[(quarter >= -12) & (quarter <= -5) & (service_day(flights["left"]) == service_day(row.at))]
        assert (row.at - near["left"]).between(60, 195).all()
        got = RESULT.loc[(row.day_number, row.flight)]
        here = near[near["origin"] == row.origin]
        assert got["origin_dep_delay_3h"] == pytest.approx(mean_of(here, "dep_delay"), nan_ok=True)
        own = here[here["carrier"] == row.carrier]
        assert got["carrier_dep_delay_3h"] == pytest.approx(mean_of(own, "dep_delay"), nan_ok=True)


def test_a_feed_that_stops_gives_null_and_not_old_values() -> None:
    stops = day_number(date(2013, 2, 10))
    dead = numbered(FLIGHTS)["day_number"] >= stops
    unheard = FLIGHTS.assign(**{name: FLIGHTS[name].mask(dead) for name in LABELS})
    result = computed(everything(), TABLES | {Dataset.FLIGHTS: unheard})
    day = service_day(result.index.get_level_values(0) * 1440 + result["sched_dep_min"])
    of_labels = [name for name in CATALOGUE if CATALOGUE[name].family in ("routes", "departures")]
    later = result[day >= stops + 2 + FEED_AGE_DAYS]
    assert later[of_labels].isna().all().all()
    before = result[(day < stops) & (day > stops - 5)]
    assert before["route_air_time_28d"].notna().all()


def test_weather_is_the_latest_observation_and_never_an_old_one(some: pd.DataFrame) -> None:
    sparse = WEATHER[WEATHER["hour"] % 9 == 0]
    result = computed(everything(), TABLES | {Dataset.WEATHER: sparse})
    observations = numbered(sparse.assign(minute=51))
    unknown = 0
    for row in some.itertuples():
        seen = observations[(observations["origin"] == row.origin) & (observations["at"] < row.at)]
        seen = seen[seen["at"] >= row.at - (OBSERVATION_AGE_H + 1) * 60]
        expected = seen.sort_values("at")["temp"].iloc[-1] if len(seen) else np.nan
        unknown += np.isnan(expected)
        assert result.loc[(row.day_number, row.flight), "temp"] == pytest.approx(expected, nan_ok=True)
    assert 0 < unknown < len(some)


def test_traffic_counts_departures_scheduled_on_the_day_in_the_hour_up_to_the_flight(some: pd.DataFrame) -> None:
    timetable = numbered(FLIGHTS)
    for row in some.itertuples():
        near = timetable[timetable["day_number"] == row.day_number]
        near = near[(near["at"] <= row.at) & (near["at"] > row.at - 60)]
        got = RESULT.loc[(row.day_number, row.flight)]
        assert got["departures_last_hour"] == (near["origin"] == row.origin).sum()
        both = (near["origin"] == row.origin) & (near["carrier"] == row.carrier)
        assert got["carrier_departures_last_hour"] == both.sum()


def test_calendar_and_clock_features(some: pd.DataFrame) -> None:
    dates = pd.to_datetime(some[["year", "month", "day"]])
    for row, weekday in zip(some.itertuples(), dates.dt.day_of_week, strict=True):
        got = RESULT.loc[(row.day_number, row.flight)]
        arrival = row.sched_arr_time // 100 * 60 + row.sched_arr_time % 100
        assert got["day_of_week"] == weekday
        assert got["sched_dep_min"] == row.hour * 60 + row.minute
        assert got["sched_block_min"] == (arrival - row.hour * 60 - row.minute) % 1440


@pytest.mark.parametrize(
    ("hour", "band"),
    [(0, "night"), (5, "morning"), (10, "midday"), (14, "afternoon"), (18, "evening"), (23, "evening")],
)
def test_hour_bands_begin_where_they_say(hour: int, band: str) -> None:
    flights = FLIGHTS.assign(hour=hour, minute=0, sched_dep_time=hour * 100)
    assert (computed(everything(), TABLES | {Dataset.FLIGHTS: flights})["hour_band"] == band).all()


@pytest.mark.parametrize(
    ("registers", "year"),
    [((2012, 2014), 2012), ((2012, 2013), 2013), ((2013, 2014), 2013), ((0, 2012), 2012), ((2014, 2015), None)],
)
def test_the_plane_is_the_one_of_the_latest_register_there_was(registers: tuple[int, int], year: int | None) -> None:
    planes = pd.concat([PLANES.assign(as_of_year=of, seats=of or 1) for of in registers], ignore_index=True)
    result = computed(everything(), TABLES | {Dataset.PLANES: planes})
    assert set(result["seats"].dropna()) == ({year} if year else set())
    assert len(result) == len(FLIGHTS)


def test_every_flight_is_there_once_and_cancelled_ones_have_no_target() -> None:
    assert len(RESULT) == len(FLIGHTS)
    assert RESULT.index.is_unique
    assert RESULT["target"].isna().sum() == FLIGHTS["air_time"].isna().sum()


def test_a_class_is_one_from_the_threshold_on_and_null_without_a_label() -> None:
    target = computed(load_model("late_arrival"), TABLES)["target"]
    label = numbered(FLIGHTS).set_index(["day_number", "flight"]).sort_index()["arr_delay"]
    assert (target[label >= 15] == 1).all()
    assert (target[label < 15] == 0).all()
    assert target[label.isna()].isna().all()


def test_the_feature_hash_moves_with_the_features_and_with_nothing_else() -> None:
    config = load_model("air_time")
    fewer = config.features.model_copy(update={"numeric": config.features.numeric[1:]})
    assert feature_hash(config.model_copy(update={"features": fewer})) != feature_hash(config)
    assert feature_hash(config.model_copy(update={"description": "other"})) == feature_hash(config)


def test_a_new_feature_is_a_function_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from ml.features import catalogue

    monkeypatch.setattr(catalogue, "_registered", dict(catalogue._registered))

    @feature(FeatureKind.NUMERIC)
    def distance_km(flights):
        """Great circle between the airports, kilometres."""
        return flights.distance * 1.609344

    config = load_model("air_time")
    config = config.model_copy(update={"features": config.features.model_copy(update={"numeric": ("distance_km",)})})
    got = computed(config, TABLES)["distance_km"]
    assert sorted(set(got.round(3))) == sorted(set((FLIGHTS["distance"] * 1.609344).round(3)))
    with pytest.raises(ValueError, match="two features"):
        feature(FeatureKind.NUMERIC)(distance_km)


def test_definitions_are_plain_data_with_a_description() -> None:
    definitions = feature_definitions()
    assert [definition.name for definition in definitions] == sorted(CATALOGUE)
    assert {definition.dtype for definition in definitions} == {"float64", "string"}
    assert all(definition.description.endswith(".") for definition in definitions)


def test_definitions_have_the_types_that_the_query_yields() -> None:
    import pyarrow as pa

    from ml.datasets.schema import SCHEMAS

    tables = {
        name: pa.Table.from_pandas(frame[SCHEMAS[name].names], schema=SCHEMAS[name]) for name, frame in TABLES.items()
    }
    schema = features_of(everything(), tables).schema
    for definition in feature_definitions():
        wanted = pa.float64() if definition.dtype == "float64" else pa.string()
        assert schema.field(definition.name).type == wanted, definition.name


def test_day_numbers_count_from_the_epoch() -> None:
    assert day_number(Month(1970, 1).first_day) == 0
    assert set(RESULT.index.get_level_values(0)) == set(
        range(day_number(MONTHS[0].first_day), day_number(MONTHS[1].last_day) + 1)
    )
