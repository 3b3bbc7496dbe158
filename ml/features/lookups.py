"""What flights look up before features are read off them: each lookup holds only what is known before departure.

All windows are ranges over integers (day, hour, minute numbers): BigQuery takes no interval there, and a range over a
date compiles for it without complaint and fails when it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis

from ml.features.catalogue import FEEDS, Column, Table

HISTORY_DAYS = 28
EXCESS_DAYS = 3
FEED_AGE_DAYS = 3
"""Without any landing in so many days before, the feed of landings has stopped: what it would tell is null, not old."""

TAXI_ALLOWANCE_MIN = 180  # how long a plane may stand on an American tarmac: 14 CFR 259.4
MAX_DELAY_MIN = 2880 + 1200 + TAXI_ALLOWANCE_MIN  # the contract's longest delay and flight
LOOK_BACK_DAYS = HISTORY_DAYS + EXCESS_DAYS + 2 * (MAX_DELAY_MIN // 1440 + 1) + 1
"""Flights scheduled earlier than this before a day cannot touch its features."""

SERVICE_DAY_START_MIN = 300
"""05:00, when yesterday's last flights have landed: the day of histories begins here, not at midnight."""

OBSERVED_AT_MIN = 52
"""These airports report at HH:51; an observation counts from the minute after. Source: nycflights13's `hour` is the
hour of the report's time (data-raw/weather.R), anyflights' as well (R/get_weather.R)."""

OBSERVATION_AGE_H = 6
QUARTERS = (12, 5)
"""Departures count in quarters of an hour: the twelfth to the fifth before, so an hour at least after they left."""


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
    flights = flights.mutate(minute_number=flights.day_number * 1440 + flights.sched_dep_min)
    hhmm = flights.sched_arr_time
    block = (hhmm // 100 * 60 + hhmm % 100 - flights.sched_dep_min + 1440) % 1440
    return flights.mutate(
        service_day=_service_day(flights.minute_number),
        quarter=flights.minute_number // 15,
        observed_hour=(flights.minute_number + 60 - OBSERVED_AT_MIN) // 60 - 1,
        sched_block_min=block,
        # What the clocks hide of a flight's length: 40 minutes on the ground, 450 miles an hour.
        time_zone=((flights.distance / 7.5 + 70 - block) / 60).floor().cast("int64"),
    )


def _service_day(minute: Column) -> Column:
    return ((minute - SERVICE_DAY_START_MIN) / 1440).floor().cast("int64")


def _numbered(table: Table) -> Table:
    """`table` with `day_number`: days since 1970-01-01 of its year, month and day."""
    day = ibis.date(table.year, table.month, table.day)
    return table.mutate(day_number=day.delta(ibis.date("1970-01-01"), unit="day").cast("int64"))


def weather(flights: Table, tables: Tables) -> Lookup:
    """The latest observation at the airport that was made before the scheduled minute, if it is not too old."""
    measures = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")
    observations = _numbered(tables.weather)
    observations = observations.select("origin", *measures, observed=observations.day_number * 24 + observations.hour)
    asked = flights.select("origin", "observed_hour", observed=ibis.null("int64"))
    known = observations.select("origin", "observed", observed_hour=observations.observed)
    hours = asked.union(known.select("origin", "observed_hour", "observed"))
    hours = hours.group_by("origin", "observed_hour").agg(observed=hours.observed.max())
    recent = ibis.range_window(group_by="origin", order_by="observed_hour", preceding=OBSERVATION_AGE_H, following=0)
    latest = hours.mutate(observed=hours.observed.max().over(recent))
    found = latest.join(observations, ["origin", "observed"])
    return Lookup(found.select("origin", "observed_hour", *measures), ("origin", "observed_hour"))


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


def departures(flights: Table, _: Tables) -> Lookup:
    """Mean delay of the departures from the airport."""
    return _left(flights, "origin_dep_delay_3h", "origin")


def carrier_departures(flights: Table, _: Tables) -> Lookup:
    """The same of one airline there."""
    return _left(flights, "carrier_dep_delay_3h", "origin", "carrier")


def _left(flights: Table, name: str, *group: str) -> Lookup:
    """Mean delay over the flights of `group` that left in QUARTERS before the scheduled one, on its service day."""
    keys = (*group, "service_day", "quarter")
    asked = flights.select(*keys, delay=ibis.literal(0.0), count=0)
    left = flights.filter(flights.dep_delay.notnull())
    minute = left.minute_number + left.dep_delay.cast("int64")
    left = left.select(*group, service_day=_service_day(minute), quarter=minute // 15, delay=left.dep_delay, count=1)
    rows = asked.union(left)
    quarters = rows.group_by(*keys).agg(delay=rows.delay.sum(), left=rows["count"].sum())
    before = ibis.range_window(group_by=keys[:-1], order_by="quarter", preceding=QUARTERS)
    mean = quarters.delay.sum().over(before) / quarters.left.sum().over(before).nullif(0)
    return Lookup(quarters.select(*keys, **{name: mean}), keys)


def route_history(flights: Table, _: Tables) -> Lookup:
    """Means of the route over flights that landed in the days before."""
    means = {f"route_air_time_{days}d": ("air_time", days) for days in (HISTORY_DAYS, 7, 1)}
    means |= {f"route_arr_delay_{days}d": ("arr_delay", days) for days in (HISTORY_DAYS, 1)}
    return _history(flights, _landed(flights), means, "origin", "dest")


def carrier_history(flights: Table, _: Tables) -> Lookup:
    """Means of the airline at the airport over flights that landed in the days before."""
    means = {f"carrier_arr_delay_{days}d": ("arr_delay", days) for days in (HISTORY_DAYS, 1)}
    return _history(flights, _landed(flights), means, "origin", "carrier")


def zone_history(flights: Table, tables: Tables) -> Lookup:
    """How much longer than their routes' mean flights into the time zone took lately: the winds of the days before."""
    keys = ("origin", "dest", "service_day")
    usual = route_history(flights, tables).table.select(*keys, usual="route_air_time_28d")
    landed = _landed(flights).join(usual, keys)
    # Whole thousandths: their sum is the same in whatever order an engine adds them up.
    excess = ((landed.air_time - landed.usual) * 1000).round().cast("float64")
    landed = landed.mutate(excess=excess).filter(landed.usual.notnull())
    means = {f"time_zone_excess_{days}d": ("excess", days) for days in (1, EXCESS_DAYS)}
    found = _history(flights, landed, means, "time_zone")
    return Lookup(found.table.mutate(**{name: found.table[name] / 1000 for name in means}), found.keys)


def _landed(flights: Table) -> Table:
    """Flights with both labels and `landed_day`, the service day by whose end they stood at a gate for certain."""
    landed = flights.filter(flights.air_time.notnull(), flights.arr_delay.notnull(), flights.dep_delay.notnull())
    minute = landed.minute_number + ibis.greatest(landed.dep_delay, 0) + landed.air_time + TAXI_ALLOWANCE_MIN
    return landed.mutate(landed_day=_service_day(minute))


def _history(flights: Table, landed: Table, means: dict[str, tuple[str, int]], *group: str) -> Lookup:
    """`means` (new column -> label, days) over the flights of the same `group` that landed in so many days before.

    A flight counts from the service day after it landed: one under way at its end is not known in the morning.
    """
    keys, labels = (*group, "service_day"), tuple(dict.fromkeys(label for label, _ in means.values()))
    asked = flights.select(*keys, **dict.fromkeys(labels, ibis.literal(0.0)), landings=0)
    rows = landed.select(*group, *labels, service_day=landed.landed_day, landings=1)
    rows = asked.union(rows.select(*asked.columns))
    days = rows.group_by(*keys).agg(**{name: rows[name].sum() for name in (*labels, "landings")})
    feed = days.group_by("service_day").agg(landings=days.landings.sum())
    lately = ibis.range_window(order_by="service_day", preceding=(FEED_AGE_DAYS, 1))
    feed = feed.select("service_day", fresh=feed.landings.sum().over(lately))
    days = days.join(feed, "service_day")
    past = {name: _mean(days, label, count, group) for name, (label, count) in means.items()}
    return Lookup(days.select(*keys, **past), keys)


def _mean(days: Table, label: str, count: int, group: tuple[str, ...]) -> Column:
    """Over the `count` days before; null where there were none, or the feed has stopped."""
    before = ibis.range_window(group_by=group, order_by="service_day", preceding=(count, 1))
    mean = days[label].sum().over(before) / days.landings.sum().over(before).nullif(0)
    return ibis.cases((days.fresh > 0, mean), else_=None)


LOOKUPS: dict[str, Callable[[Table, Tables], Lookup]] = {
    lookup.__name__: lookup
    for lookup in (
        weather,
        planes,
        traffic,
        carrier_traffic,
        departures,
        carrier_departures,
        route_history,
        carrier_history,
        zone_history,
    )
}
"""By the name a feature `needs` it by; joined in this order."""

HISTORIES = FEEDS["landings"] | FEEDS["departures"]
"""Those that look at flights of the days before; the others are asked of the flights wanted alone."""
