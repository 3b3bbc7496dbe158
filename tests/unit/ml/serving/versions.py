"""A registry of made-up versions that can be served."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sklearn.pipeline import Pipeline

from ml.registry import Registry
from tests.contract.registry.candidates import NOW, make_candidate
from tests.unit.ml.serving.flights import register


def add_version(registry: Registry, pipeline: Pipeline, scratch: Path, name: str) -> int:
    """Register a fitted pipeline; it becomes challenger, and champion if there is none."""
    folder = scratch / name
    candidate = make_candidate(folder, name)
    register(folder, pipeline)
    served = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("serving*")}
    whole = candidate.model_copy(update={"files": candidate.files | served})
    record = registry.register(whole, folder, who="test", now=NOW)
    if registry.aliases().champion is None:
        registry.promote(record.version, None, reason="first", who="test", now=NOW)
    return record.version
