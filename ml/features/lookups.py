"""What flights look up before features are read off them: each lookup holds only what is known before departure.

All windows are ranges over integers (day, hour, minute numbers): BigQuery takes no interval there, and a range over a
date compiles for it without complaint and fails when it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis

from ml.features.catalogue import Table

HISTORY_DAYS = 28
TAXI_ALLOWANCE_MIN = 180  # how long a plane may stand on an American tarmac: 14 CFR 259.4
MAX_DELAY_MIN = 2880 + 1200 + TAXI_ALLOWANCE_MIN  # the contract's longest delay and flight
LOOK_BACK_DAYS = HISTORY_DAYS + 1 + MAX_DELAY_MIN // 1440 + 1
"""Flights scheduled earlier than this before a day cannot touch its features."""

OBSERVATION_AGE_H = 6


@dataclass(frozen=True)
class Tables:
    """The three datasets as ibis tables: DuckDB's here, BigQuery's there."""

    flights: Table
    weather: Table
    planes: Table


@dataclass(frozen=True)
class Lookup:
    """A table with one row for each value of `keys` that a flight can have."""

    table: Table
    keys: tuple[str, ...]


def timed(tables: Tables) -> Table:
    """Flights with the numbers that lookups and windows go by, on the airport's own clock."""
    flights = _numbered(tables.flights)
    flights = flights.mutate(sched_dep_min=flights.hour * 60 + flights.minute)
    return flights.mutate(
        hour_number=flights.day_number * 24 + flights.hour,
        minute_number=flights.day_number * 1440 + flights.sched_dep_min,
    )


def _numbered(table: Table) -> Table:
    """`table` with `day_number`: days since 1970-01-01 of its year, month and day."""
    day = ibis.date(table.year, table.month, table.day)
    return table.mutate(day_number=day.delta(ibis.date("1970-01-01"), unit="day").cast("int64"))


def weather(flights: Table, tables: Tables) -> Lookup:
    """The latest observation at the airport at or before the scheduled hour, if it is not too old."""
    measures = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")
    observations = _numbered(tables.weather)
    observations = observations.select("origin", *measures, observed=observations.day_number * 24 + observations.hour)
    asked = flights.select("origin", "hour_number", observed=ibis.null("int64"))
    known = observations.select("origin", "observed", hour_number=observations.observed)
    hours = asked.union(known.select("origin", "hour_number", "observed"))
    hours = hours.group_by("origin", "hour_number").agg(observed=hours.observed.max())
    recent = ibis.range_window(group_by="origin", order_by="hour_number", preceding=OBSERVATION_AGE_H, following=0)
    latest = hours.mutate(observed=hours.observed.max().over(recent))
    found = latest.join(observations, ["origin", "observed"])
    return Lookup(found.select("origin", "hour_number", *measures), ("origin", "hour_number"))


def planes(flights: Table, tables: Tables) -> Lookup:
    """The plane as the register of the flight's year has it, or the latest register before."""
    rows = tables.planes
    registers = ibis.window(group_by="tailnum", order_by="as_of_year")
    rows = rows.mutate(until=rows.as_of_year.lead().over(registers).coalesce(9999))
    asked = flights.select("tailnum", "year").distinct()
    same_plane = asked.tailnum == rows.tailnum
    found = asked.join(rows, [same_plane, asked.year >= rows.as_of_year, asked.year < rows.until], rname="plane_{name}")
    return Lookup(found.select("tailnum", "year", "plane_year", "seats", "engine"), ("tailnum", "year"))


def traffic(flights: Table, _: Tables) -> Lookup:
    """Departures scheduled in the hour up to the minute; cancelled ones count, the timetable did not know."""
    return _departures(flights, "departures_last_hour", "origin")


def carrier_traffic(flights: Table, _: Tables) -> Lookup:
    """The same of one airline."""
    return _departures(flights, "carrier_departures_last_hour", "origin", "carrier")


def _departures(flights: Table, name: str, *group: str) -> Lookup:
    """Of the day alone: a window over all days would put an airport's whole history on one worker."""
    group = (*group, "day_number")
    keys = (*group, "sched_dep_min")
    last_hour = ibis.range_window(group_by=group, order_by="sched_dep_min", preceding=59, following=0)
    minutes = flights.group_by(*keys).agg(departures=flights.count())
    return Lookup(minutes.select(*keys, **{name: minutes.departures.sum().over(last_hour)}), keys)


def route_history(flights: Table, _: Tables) -> Lookup:
    """Means of the route over flights that landed in the days before."""
    means = {"route_air_time_28d": "air_time", "route_arr_delay_28d": "arr_delay"}
    return _history(flights, means, "origin", "dest")


def carrier_history(flights: Table, _: Tables) -> Lookup:
    """Means of the airline at the airport over flights that landed in the days before."""
    return _history(flights, {"carrier_arr_delay_28d": "arr_delay"}, "origin", "carrier")


def _history(flights: Table, means: dict[str, str], *group: str) -> Lookup:
    """Means of `means` (new column -> label) over the flights of the same `group` landed in the HISTORY_DAYS before.

    A flight counts from the day after it landed: one under way at midnight is not known in the morning.
    """
    keys, labels = (*group, "day_number"), tuple(means.values())
    minute = flights.minute_number + ibis.greatest(flights.dep_delay, 0) + flights.air_time + TAXI_ALLOWANCE_MIN
    landed = flights.filter(flights.air_time.notnull(), flights.arr_delay.notnull(), flights.dep_delay.notnull())
    landed = landed.select(*group, *labels, day_number=(minute / 1440).floor().cast("int64"), landings=1)
    asked = flights.select(*keys, **dict.fromkeys(labels, ibis.literal(0.0)), landings=0)
    rows = asked.union(landed.select(*asked.columns))
    days = rows.group_by(*keys).agg(**{name: rows[name].sum() for name in (*labels, "landings")})
    before = ibis.range_window(group_by=group, order_by="day_number", preceding=(HISTORY_DAYS, 1))
    landings = days.landings.sum().over(before).nullif(0)
    past = {name: days[label].sum().over(before) / landings for name, label in means.items()}
    return Lookup(days.select(*keys, **past), keys)


LOOKUPS: dict[str, Callable[[Table, Tables], Lookup]] = {
    lookup.__name__: lookup for lookup in (weather, planes, traffic, carrier_traffic, route_history, carrier_history)
}
"""By the name a feature `needs` it by; joined in this order."""

HISTORIES = frozenset({route_history.__name__, carrier_history.__name__})
"""Those that look at flights of the days before; the others are asked of the flights wanted alone."""
