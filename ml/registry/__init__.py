"""Versions of models, their records and who is champion: one interface, a local folder or Vertex AI behind it."""

from __future__ import annotations

from pathlib import Path

from fonderie.core.home import home
from ml.locations import REGISTRIES
from ml.registry.interface import Alias, Aliases, AliasMove, Registry, Version
from ml.registry.local import LocalRegistry
from ml.registry.record import Candidate, ModelRecord, SchemaColumn

__all__ = [
    "Alias",
    "AliasMove",
    "Aliases",
    "Candidate",
    "ModelRecord",
    "Registry",
    "SchemaColumn",
    "Version",
    "open_registry",
]


def open_registry(model: str, location: str = "") -> Registry:
    """The versions of `model` at `location`.

    A location is a folder, nothing for the one under `.fonderie`, or what `REGISTRIES` opens. Raises BadInputError.
    """
    if opener := REGISTRIES.opener(location):
        return opener(location, model)
    return LocalRegistry(Path(location) if location else home() / "registry", model)
