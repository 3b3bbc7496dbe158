"""Processes a run has started: they must not outlive it when it is stopped.

Kubeflow's local runner starts a shell a task and leaves it behind when it is interrupted.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path


def descendants(process: int) -> set[int]:
    """Children of `process`, their children and so on. Empty where there is no /proc: Ctrl-C reaches them there."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended in the meantime
            after_name = stat.read_text().rpartition(")")[2].split()
            parents[int(stat.parent.name)] = int(after_name[1])
    found: set[int] = set()
    grown = {process}
    while grown:
        grown = {child for child, parent in parents.items() if parent in grown} - found
        found |= grown
    return found


def end_descendants(*, but: set[int]) -> None:
    """Kill what this process has started, except those that were there before the run."""
    for child in descendants(os.getpid()) - but:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
