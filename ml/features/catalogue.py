"""The feature catalogue: every feature is a small named function that families/ registers here.

Importing it costs nothing: ibis is imported when a feature is computed, not when it is named.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Table = Any
"""An ibis table: one row a flight, with the columns of its lookups. ibis ships no types that mypy could read."""
Column = Any
"""An ibis column of such a table."""

LABELS = ("air_time", "arr_delay", "dep_delay", "arr_time", "dep_time")
"""Columns known only after departure: targets, never features."""

FAMILIES = ("schedule", "weather", "fleet", "departures", "routes")


FEEDS: Mapping[str, frozenset[str]] = {
    "landings": frozenset({"route_history", "carrier_history", "zone_history"}),
    "departures": frozenset({"departures", "carrier_departures"}),
    "weather": frozenset({"weather"}),
}
"""Feeds and the lookups (`needs` of a feature) that they bring: when one stops, all its features turn null at once."""


class FeatureKind(StrEnum):
    """How a model reads a feature."""

    NUMERIC = "numeric"  # float64, null allowed
    CATEGORICAL = "categorical"  # string, null allowed


@dataclass(frozen=True)
class FeatureDefinition:
    """A feature as plain data, for a feature store, a serving schema or a page of documentation."""

    name: str
    dtype: str  # "float64" or "string"
    description: str
    family: str


@dataclass(frozen=True)
class Feature:
    """A named expression over the flights with the lookups it `needs`."""

    name: str
    kind: FeatureKind
    description: str
    needs: tuple[str, ...]  # names of LOOKUPS in ml/features/lookups.py
    family: str
    expression: Callable[[Table], Column]

    @property
    def definition(self) -> FeatureDefinition:
        """The same as plain data."""
        dtype = "float64" if self.kind is FeatureKind.NUMERIC else "string"
        return FeatureDefinition(self.name, dtype, self.description, self.family)


_registered: dict[str, Feature] = {}


def feature(kind: FeatureKind, *needs: str) -> Callable[[Callable[[Table], Column]], Callable[[Table], Column]]:
    """Register a function as the feature of its name; its docstring is the description."""

    def register(expression: Callable[[Table], Column]) -> Callable[[Table], Column]:
        name = expression.__name__
        if name in _registered:
            raise ValueError(f"two features are called {name!r}")
        if not expression.__doc__:
            raise ValueError(f"feature {name!r} has no docstring: it is its description")
        family = expression.__module__.rsplit(".", 1)[-1]
        _registered[name] = Feature(name, kind, expression.__doc__, needs, family, expression)
        return expression

    return register


class _Catalogue(Mapping[str, Feature]):
    """Features by name; the families are imported at the first look."""

    def _all(self) -> dict[str, Feature]:
        for family in FAMILIES:
            importlib.import_module(f"ml.features.definitions.{family}")
        return _registered

    def __getitem__(self, name: str) -> Feature:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


CATALOGUE: Mapping[str, Feature] = _Catalogue()


def feature_definitions() -> list[FeatureDefinition]:
    """All features as plain data, by name."""
    return [CATALOGUE[name].definition for name in sorted(CATALOGUE)]
