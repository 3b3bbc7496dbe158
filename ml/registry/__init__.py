"""Versions of models, their records and who is champion: one interface, a local folder or Vertex AI behind it."""

from __future__ import annotations

from ml.registry.interface import Alias, Aliases, AliasMove, Registry, Version
from ml.registry.location import open_registry
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
