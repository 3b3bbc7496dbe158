"""Steps one after the other, each with its time, and the page they leave behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from fonderie.files import write_text
from fonderie.home import home
from ml.reports.page import Section, facts, page


@dataclass
class Stage:
    """What the steps share: where to print, and a folder of the demo's own that is empty at its start."""

    console: Console
    folder: Path
    model: str = "air_time"
    registry: str = ""
    sections: list[Section] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """`play` does the work, prints what a person wants to see and adds its sections."""

    title: str
    play: Callable[[Stage], None]


def play(steps: Sequence[Step], stage: Stage) -> Path:
    """Run every step, then write the report; its path. A step that fails ends the story with its error."""
    took: list[tuple[str, str]] = []
    for place, step in enumerate(steps, 1):
        stage.console.rule(f"[bold]{place}. {step.title}[/]", align="left")
        start = time.monotonic()
        step.play(stage)
        took.append((step.title, f"{time.monotonic() - start:.1f} s"))
        stage.console.print(f"[dim]{took[-1][1]}[/]")
    sections = [Section("Steps", facts(took)), *stage.sections]
    path = home() / "reports" / "demo.html"
    lead = "From nothing to a served, monitored model, on one machine: what happened, and why."
    write_text(path, page("Fonderie, end to end", sections, lead=lead, made_at=datetime.now(UTC)))
    return path
