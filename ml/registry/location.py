"""Which registry a location names."""

from __future__ import annotations

from pathlib import Path

from fonderie.core.home import home
from ml.locations import REGISTRIES
from ml.registry.interface import Registry
from ml.registry.local import LocalRegistry


def open_registry(model: str, location: str = "") -> Registry:
    """The versions of `model` at `location`.

    A location is a folder, nothing for the one under `.fonderie`, or what `REGISTRIES` opens. Raises BadInputError.
    """
    if opener := REGISTRIES.opener(location):
        return opener(location, model)
    return LocalRegistry(Path(location) if location else home() / "registry", model)
