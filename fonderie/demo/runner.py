"""Steps one after the other, each with its time, and the page they leave behind."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock, Timeout
from rich.console import Console

from fonderie.core.errors import ConflictError
from fonderie.core.files import write_text
from fonderie.core.home import home
from fonderie.core.page import Section, page, paragraph, table
from fonderie.demo.background import Done, Work

if TYPE_CHECKING:
    from ci.preview.report import Preview
    from pipelines.simulation.records import Simulation

T = TypeVar("T")


@contextmanager
def anew(folder: Path) -> Iterator[None]:
    """An empty folder, held while the block runs. Raises ConflictError while another demo holds it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.with_suffix(".lock"), timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield
    except Timeout as error:
        hint = "wait for it to end, or set FONDERIE_HOME to another folder"
        raise ConflictError("another demo is running here", where=folder, hint=hint) from error


@dataclass
class Stage:
    """What the steps share: where to print, and a folder of the demo's own that is empty at its start."""

    console: Console
    folder: Path
    replayed: Work[Simulation]
    previewed: Work[Preview]
    model: str
    registry: str
    sections: list[Section] = field(default_factory=list)
    beside_s: float = 0.0  # what the step shows took so long, beside the steps before it

    def waited(self, work: Work[T], name: str) -> T:
        """What came of `work`, once it is done."""
        with self.console.status(f"waiting for {name}"):
            done: Done[T] = work.result()
        self.beside_s = done.seconds
        return done.result


@dataclass(frozen=True)
class Step:
    """`play` does the work, prints what a person wants to see, adds its sections and says what came of it."""

    name: str
    title: str
    play: Callable[[Stage], str]


def play(steps: Sequence[Step], stage: Stage) -> Path:
    """Run every step, then write the report; its path. A step that fails ends the story with its error."""
    came: list[tuple[str, str, str]] = []
    chapters: list[Section] = []
    for place, step in enumerate(steps, 1):
        stage.console.rule(f"[bold]{place}. {step.name}: {step.title}[/]", align="left")
        start = time.monotonic()
        stage.sections, stage.beside_s = [], 0.0
        outcome = step.play(stage)
        took = f"{time.monotonic() - start:.1f} s"
        took += f", after {stage.beside_s:.1f} s beside the steps before" if stage.beside_s else ""
        came.append((step.name, outcome, took))
        stage.console.print(f"[dim]{took}[/]")
        chapters.append(
            Section(step.name, paragraph(f"{step.title[0].upper()}{step.title[1:]}."), tuple(stage.sections))
        )
    return _report(came, chapters)


def _report(came: Sequence[tuple[str, str, str]], chapters: Sequence[Section]) -> Path:
    summary = Section("Steps", table("What happened", ("step", "result", "took"), came))
    path = home() / "reports" / "demo.html"
    lead = "From nothing to a served, monitored model, on one machine: what happened, and why."
    write_text(path, page("Fonderie, end to end", [summary, *chapters], lead=lead, made_at=datetime.now(UTC)))
    return path
