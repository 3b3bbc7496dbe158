"""Which registry a location names."""

from __future__ import annotations

from pathlib import Path

from fonderie.core.errors import BadInputError
from fonderie.core.home import home
from ml.registry.interface import Registry
from ml.registry.local import LocalRegistry

VERTEX_FORM = "vertex://PROJECT/REGION/BUCKET?image=REGISTRY/serving@sha256:..."


def open_registry(model: str, location: str = "") -> Registry:
    """The versions of `model` at `location`.

    A location is a folder, nothing for the one under `.fonderie`, or
    `vertex://PROJECT/REGION/BUCKET?image=REGISTRY/serving@sha256:...` for Vertex AI with its files in that bucket.
    """
    if location.startswith("vertex://"):
        from fonderie.google.vertex_registry import VertexRegistry

        return VertexRegistry.parse(location, model)
    if "://" in location:
        raise BadInputError(f"unknown registry location {location!r}", hint=f"want a folder, nothing, or {VERTEX_FORM}")
    return LocalRegistry(Path(location) if location else home() / "registry", model)
