"""Steps one after the other, each with its time, and the page they leave behind."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console

from fonderie.core.errors import ConflictError
from fonderie.core.files import write_text
from fonderie.core.home import home
from fonderie.core.page import Section, page, paragraph, table


@contextmanager
def empty_folder(folder: Path) -> Iterator[None]:
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
class Context:
    """What the steps share: where to print, and a folder of the demo's own that is empty at its start."""

    console: Console
    folder: Path
    model: str
    registry: str
    sections: list[Section] = field(default_factory=list)  # of the current step


@dataclass(frozen=True)
class DemoStep:
    """`run` does the work, prints what a person wants to see, adds its sections and returns the result in a line."""

    name: str
    title: str
    run: Callable[[Context], str]


def run_steps(steps: Sequence[DemoStep], context: Context) -> Path:
    """Run every step, then write the report; its path. A step that fails ends the demo with its error."""
    results: list[tuple[str, str, str]] = []
    sections: list[Section] = []
    for number, step in enumerate(steps, 1):
        context.console.rule(f"[bold]{number}. {step.name}: {step.title}[/]", align="left")
        start = time.monotonic()
        context.sections = []
        result = step.run(context)
        took = f"{time.monotonic() - start:.1f} s"
        results.append((step.name, result, took))
        context.console.print(f"[dim]{took}[/]")
        lead = paragraph(f"{step.title[0].upper()}{step.title[1:]}.")
        sections.append(Section(step.name, lead, tuple(context.sections)))
    return _report(results, sections)


def _report(results: Sequence[tuple[str, str, str]], sections: Sequence[Section]) -> Path:
    summary = Section("Steps", table("What happened", ("step", "result", "took"), results))
    path = home() / "reports" / "demo.html"
    lead = "From nothing to a served, monitored model, on one machine: what happened, and why."
    write_text(path, page("Fonderie, end to end", [summary, *sections], lead=lead, made_at=datetime.now(UTC)))
    return path
