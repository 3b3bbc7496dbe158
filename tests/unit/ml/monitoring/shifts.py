"""Shifts that can befall a month of flights, injected into its feature table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

Shift = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]


def _map(name: str, change: Callable[[pd.Series], pd.Series]) -> Shift:
    return lambda frame, rng: frame.assign(**{name: change(frame[name])})


def _some(name: str, share: float, value: object) -> Shift:
    """A share of the rows gets `value`."""

    def shift(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        return frame.assign(**{name: frame[name].mask(rng.random(len(frame)) < share, value)})

    return shift


def _shuffled(name: str) -> Shift:
    return lambda frame, rng: frame.assign(**{name: rng.permutation(frame[name].to_numpy())})


SHIFTS: dict[str, Shift] = {
    "the largest carrier is renamed": _map("carrier", lambda c: c.replace("UA", "ZZ")),
    "a small carrier is renamed": _map("carrier", lambda c: c.replace("AS", "ZZ")),
    "carriers change their alphabet": _map("carrier", lambda c: c.str.lower()),
    "an airport is renamed": _map("dest", lambda c: c.replace("LAX", "XAL")),
    "an origin is lost": lambda frame, rng: frame[frame.origin != "JFK"],
    "carriers are lost": _some("carrier", 0.3, None),
    "distance in kilometres": _map("distance", lambda c: c * 1.609),
    "distance is zero": _map("distance", lambda c: c * 0),
    "distance is shuffled": _shuffled("distance"),
    "temperature in Celsius": _map("temp", lambda c: (c - 32) / 1.8),
    "temperature in Kelvin": _map("temp", lambda c: (c - 32) / 1.8 + 273.15),
    "pressure in inches": _map("pressure", lambda c: c * 0.02953),
    "pressure is zero": _map("pressure", lambda c: c * 0),
    "humidity as a fraction": _map("humid", lambda c: c / 100),
    "wind speed in knots": _map("wind_speed", lambda c: c * 0.868976),
    "wind speed in metres a second": _map("wind_speed", lambda c: c * 0.44704),
    "wind direction in radians": _map("wind_dir", np.deg2rad),
    "visibility in kilometres": _map("visib", lambda c: c * 1.609),
    "rain is zero": _map("precip", lambda c: c * 0),
    "rain in millimetres": _map("precip", lambda c: c * 25.4),
    "departure time in hours": _map("sched_dep_min", lambda c: c / 60),
    "departure time in UTC": _map("sched_dep_min", lambda c: (c + 300) % 1440),
    "weekdays count from one": _map("day_of_week", lambda c: c + 1),
    "route means in hours": _map("route_air_time_28d", lambda c: c / 60),
    "route means are null in a third": _some("route_air_time_7d", 0.35, np.nan),
    "wind direction is null": _map("wind_dir", lambda c: c * np.nan),
    "dew point is null in a quarter": _some("dewp", 0.25, np.nan),
    "yesterday's excess is a constant": _map("time_zone_excess_1d", lambda c: c * 0 + 5),
    "labels are 10 % longer": _map("target", lambda c: c * 1.1),
    "labels are 10 % shorter": _map("target", lambda c: c * 0.9),
    "labels are shuffled": _shuffled("target"),
    "rows come twice": lambda frame, rng: pd.concat([frame, frame.sample(frac=0.2, random_state=1)]),
}
"""More than the twenty kinds that are asked for; the rates are over all of them."""

SUBJECTS: dict[str, tuple[str, ...]] = {
    "the largest carrier is renamed": ("carrier",),
    "a small carrier is renamed": ("carrier",),
    "carriers change their alphabet": ("carrier",),
    "an airport is renamed": ("dest",),
    "carriers are lost": ("carrier",),
    "distance in kilometres": ("distance",),
    "distance is zero": ("distance",),
    "distance is shuffled": ("distance",),
    "pressure in inches": ("pressure",),
    "pressure is zero": ("pressure",),
    "route means in hours": ("route_air_time_28d",),
    "route means are null in a third": ("route_air_time_7d",),
    "yesterday's excess is a constant": ("time_zone_excess_1d",),
}
"""What a finding must name; without an entry, or beside it, the error itself: nothing else tells of shifted labels."""
