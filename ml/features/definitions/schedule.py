"""What the timetable says. The timetable is known in advance, but counts look only at departures up to this one."""

from __future__ import annotations

from ml.features.catalogue import Column, FeatureKind, Table, feature


@feature(FeatureKind.CATEGORICAL)
def origin(flights: Table) -> Column:
    """Airport of departure."""
    return flights.origin


@feature(FeatureKind.CATEGORICAL)
def dest(flights: Table) -> Column:
    """Airport of arrival."""
    return flights.dest


@feature(FeatureKind.CATEGORICAL)
def carrier(flights: Table) -> Column:
    """Airline, two letters."""
    return flights.carrier


@feature(FeatureKind.NUMERIC)
def distance(flights: Table) -> Column:
    """Great circle between the airports, miles."""
    return flights.distance.cast("float64")


@feature(FeatureKind.NUMERIC)
def sched_dep_min(flights: Table) -> Column:
    """Scheduled departure, minutes since local midnight."""
    return flights.sched_dep_min.cast("float64")


@feature(FeatureKind.NUMERIC)
def sched_block_min(flights: Table) -> Column:
    """Scheduled arrival minus scheduled departure on the airports' own clocks, minutes, 0 to 1439."""
    return flights.sched_block_min.cast("float64")


@feature(FeatureKind.NUMERIC)
def day_of_week(flights: Table) -> Column:
    """0 is Monday, 6 is Sunday."""
    return ((flights.day_number + 3) % 7).cast("float64")  # day 0, 1970-01-01, was a Thursday


@feature(FeatureKind.CATEGORICAL)
def hour_band(flights: Table) -> Column:
    """Part of the day of the scheduled departure: night, morning, midday, afternoon, evening."""
    import ibis

    hour = flights.sched_dep_min // 60
    return ibis.cases(
        (hour < 5, "night"), (hour < 10, "morning"), (hour < 14, "midday"), (hour < 18, "afternoon"), else_="evening"
    )


@feature(FeatureKind.NUMERIC, "traffic")
def departures_last_hour(flights: Table) -> Column:
    """Departures scheduled at this airport in the 60 minutes of the day up to this one."""
    return flights.departures_last_hour.cast("float64")


@feature(FeatureKind.NUMERIC, "carrier_traffic")
def carrier_departures_last_hour(flights: Table) -> Column:
    """The airline's own departures scheduled at this airport in the 60 minutes of the day up to this one."""
    return flights.carrier_departures_last_hour.cast("float64")
