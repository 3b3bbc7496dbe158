"""How the route, the airline and the destination's time zone went lately: flights that landed in the days before.

A day begins at 05:00. All are null when no flight has landed for three days: then the feed of landings has stopped.
"""

from __future__ import annotations

from ml.features.catalogue import Column, FeatureKind, Table, feature


@feature(FeatureKind.NUMERIC, "route_history")
def route_air_time_28d(flights: Table) -> Column:
    """Mean time in the air on this route in the 28 days before, minutes."""
    return flights.route_air_time_28d


@feature(FeatureKind.NUMERIC, "route_history")
def route_air_time_7d(flights: Table) -> Column:
    """The same of the week before, minutes."""
    return flights.route_air_time_7d


@feature(FeatureKind.NUMERIC, "route_history")
def route_air_time_1d(flights: Table) -> Column:
    """The same of the day before, minutes."""
    return flights.route_air_time_1d


@feature(FeatureKind.NUMERIC, "zone_history")
def time_zone_excess_1d(flights: Table) -> Column:
    """Mean time in the air over that of their routes, of the day before's flights into this time zone, minutes."""
    return flights.time_zone_excess_1d


@feature(FeatureKind.NUMERIC, "zone_history")
def time_zone_excess_3d(flights: Table) -> Column:
    """The same of the three days before, minutes."""
    return flights.time_zone_excess_3d


@feature(FeatureKind.NUMERIC, "route_history")
def route_arr_delay_1d(flights: Table) -> Column:
    """Mean delay on arrival on this route the day before, minutes."""
    return flights.route_arr_delay_1d


@feature(FeatureKind.NUMERIC, "route_history")
def route_arr_delay_28d(flights: Table) -> Column:
    """Mean delay on arrival on this route in the 28 days before, minutes."""
    return flights.route_arr_delay_28d


@feature(FeatureKind.NUMERIC, "carrier_history")
def carrier_arr_delay_28d(flights: Table) -> Column:
    """Mean delay on arrival of this airline from this airport in the 28 days before, minutes."""
    return flights.carrier_arr_delay_28d


@feature(FeatureKind.NUMERIC, "carrier_history")
def carrier_arr_delay_1d(flights: Table) -> Column:
    """The same of the day before, minutes."""
    return flights.carrier_arr_delay_1d
