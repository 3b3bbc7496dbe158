"""How departures go today: the mean delay of flights that left one to three hours before, cancelled ones left out."""

from __future__ import annotations

from ml.features.catalogue import Column, FeatureKind, Table, feature


@feature(FeatureKind.NUMERIC, "departures")
def origin_dep_delay_3h(flights: Table) -> Column:
    """Mean delay of the departures from this airport, minutes."""
    return flights.origin_dep_delay_3h


@feature(FeatureKind.NUMERIC, "carrier_departures")
def carrier_dep_delay_3h(flights: Table) -> Column:
    """Mean delay of this airline's departures from this airport, minutes."""
    return flights.carrier_dep_delay_3h
