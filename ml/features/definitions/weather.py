"""The latest weather observation where the flight departs: made before the scheduled minute, at most six hours old."""

from __future__ import annotations

from ml.features.catalogue import Column, FeatureKind, Table, feature


@feature(FeatureKind.NUMERIC, "weather")
def temp(flights: Table) -> Column:
    """Temperature, degrees Fahrenheit."""
    return flights.temp


@feature(FeatureKind.NUMERIC, "weather")
def dewp(flights: Table) -> Column:
    """Dew point, degrees Fahrenheit."""
    return flights.dewp


@feature(FeatureKind.NUMERIC, "weather")
def humid(flights: Table) -> Column:
    """Relative humidity, per cent."""
    return flights.humid


@feature(FeatureKind.NUMERIC, "weather")
def wind_dir(flights: Table) -> Column:
    """Where the wind comes from, degrees."""
    return flights.wind_dir


@feature(FeatureKind.NUMERIC, "weather")
def wind_speed(flights: Table) -> Column:
    """Wind, miles an hour."""
    return flights.wind_speed


@feature(FeatureKind.NUMERIC, "weather")
def precip(flights: Table) -> Column:
    """Rain or snow in the hour, inches."""
    return flights.precip


@feature(FeatureKind.NUMERIC, "weather")
def pressure(flights: Table) -> Column:
    """Pressure at sea level, millibars."""
    return flights.pressure


@feature(FeatureKind.NUMERIC, "weather")
def visib(flights: Table) -> Column:
    """Visibility, miles, 10 at most."""
    return flights.visib
