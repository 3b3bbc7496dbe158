"""Which registry a location names."""

from __future__ import annotations

from pathlib import Path

from fonderie.errors import BadInputError
from fonderie.home import home
from ml.registry.interface import Registry
from ml.registry.local import LocalRegistry


def open_registry(model: str, location: str = "") -> Registry:
    """The versions of `model` at `location`: a folder, or nothing for the one under `.fonderie`."""
    if "://" in location:
        raise BadInputError(f"no registry is kept at {location!r}", hint="a folder's path, or nothing")
    return LocalRegistry(Path(location) if location else home() / "registry", model)
