"""The champion answers over HTTP; a good and a bad challenger meet a canary; a rollback."""

from __future__ import annotations

from pathlib import Path

from ci.demo.story import Stage
from ml.config import load_model
from ml.registry import open_registry
from ml.serving.demonstration import demonstrate
from ml.serving.sections import sections


def serve_and_canary(stage: Stage) -> None:
    """On the champion of the demo's own registry."""
    registry = open_registry(stage.model, stage.registry)
    done = demonstrate(load_model(stage.model), registry, Path(stage.registry), say=stage.console.print)
    stage.sections += sections(done)
