"""How the route went lately: flights that landed in the 28 days before the day of departure."""

from __future__ import annotations

from ml.features.catalogue import Column, FeatureKind, Table, feature


@feature(FeatureKind.NUMERIC, "route_history")
def route_air_time_28d(flights: Table) -> Column:
    """Mean time in the air on this route, minutes."""
    return flights.route_air_time_28d


@feature(FeatureKind.NUMERIC, "route_history")
def route_arr_delay_28d(flights: Table) -> Column:
    """Mean delay on arrival on this route, minutes."""
    return flights.route_arr_delay_28d


@feature(FeatureKind.NUMERIC, "carrier_history")
def carrier_arr_delay_28d(flights: Table) -> Column:
    """Mean delay on arrival of this airline from this airport, minutes."""
    return flights.carrier_arr_delay_28d
