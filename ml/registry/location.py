"""Which registry a location names."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from fonderie.core.errors import BadInputError
from fonderie.core.home import home
from fonderie.google import Access
from ml.registry.interface import Registry
from ml.registry.local import LocalRegistry

VERTEX_FORM = "vertex://PROJECT/REGION/BUCKET?image=REGISTRY/serving@sha256:..."


def open_registry(model: str, location: str = "") -> Registry:
    """The versions of `model` at `location`.

    A location is a folder, nothing for the one under `.fonderie`, or
    `vertex://PROJECT/REGION/BUCKET?image=REGISTRY/serving@sha256:...` for Vertex AI with its files in that bucket.
    """
    if location.startswith("vertex://"):
        return _vertex(model, location)
    if "://" in location:
        raise BadInputError(f"unknown registry location {location!r}", hint=f"want a folder, nothing, or {VERTEX_FORM}")
    return LocalRegistry(Path(location) if location else home() / "registry", model)


def _vertex(model: str, location: str) -> Registry:
    parts = urlsplit(location)
    places = [part for part in parts.path.split("/") if part]
    image = parse_qs(parts.query).get("image", [""])[0]
    if not parts.netloc or len(places) != 2:
        raise BadInputError(f"invalid registry {location!r}", hint=VERTEX_FORM)
    if "@sha256:" not in image:
        raise BadInputError(f"{location!r} has no serving image pinned by digest", hint=VERTEX_FORM)
    from fonderie.google.vertex_registry import VertexRegistry

    access = Access(parts.netloc, places[0], endpoint=os.environ.get("FONDERIE_GOOGLE_ENDPOINT") or None)
    return VertexRegistry(access, places[1], model, image=image)
