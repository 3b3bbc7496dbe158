"""The champion answers over HTTP; a good and a bad challenger meet a canary; a rollback."""

from __future__ import annotations

from concurrent.futures import wait
from pathlib import Path

from fonderie.demo.rehearsal import demonstrate
from fonderie.demo.runner import Stage
from fonderie.demo.serving_sections import sections
from ml.models import load_model
from ml.registry import open_registry


def serve_and_canary(stage: Stage) -> str:
    """On the champion of the demo's own registry, and with the machine to itself: this step measures."""
    with stage.console.status("waiting for the preview"):
        wait([stage.previewed])
    registry = open_registry(stage.model, stage.registry)
    done = demonstrate(load_model(stage.model), registry, Path(stage.registry), say=stage.console.print)
    stage.sections += sections(done)
    return (
        f"{done.single.rate:,.0f} requests a second; an equal challenger: {done.good.status}, a wrong one: "
        f"{done.bad.status}; rolled back in {done.rollback.seconds:.1f} s"
    )
