"""The plane, from the register of the year or of the latest year before it."""

from __future__ import annotations

from ml.features.catalogue import Column, FeatureKind, Table, feature


@feature(FeatureKind.NUMERIC, "planes")
def plane_age(flights: Table) -> Column:
    """Years since the plane was made."""
    return (flights.year - flights.plane_year).cast("float64")


@feature(FeatureKind.NUMERIC, "planes")
def seats(flights: Table) -> Column:
    """Seats of the plane."""
    return flights.seats.cast("float64")


@feature(FeatureKind.CATEGORICAL, "planes")
def engine(flights: Table) -> Column:
    """Kind of engine: Turbo-fan, Turbo-jet, Reciprocating and so on."""
    return flights.engine
