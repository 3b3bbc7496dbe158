"""Kubeflow's local runner says everything by printing: this listens, keeps the log and tells tasks apart.

Upstream prints a task's traceback to stdout only and raises an error without cause (kfp 2.17).
"""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Callable
from pathlib import Path

from pipelines.engines.engine import TaskRun, TaskState

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
STARTED = re.compile(r"Executing task '([^']+)'")
ENDED = re.compile(r"Task '([^']+)' finished with status (SUCCESS|FAILURE)")
NOISE = re.compile(r"\[KFP Executor [^]]*\]|^\s*$|^[0-9:.]{12} - |^-+$")
TAIL_LINES = 12


class TaskLog(io.TextIOBase):
    """A stream to print to. Lines go to a file without colours; tasks are reported as they start and end."""

    def __init__(self, path: Path, progress: Callable[[TaskRun], None]) -> None:
        """`progress` is called for each start and end."""
        self._file = path.open("a", encoding="utf-8")
        self._progress = progress
        self._line = ""
        self._began = 0.0
        self._current: list[str] = []
        self.tasks: dict[str, TaskRun] = {}
        self.failed: str | None = None
        self.tail: list[str] = []

    def write(self, text: str) -> int:
        """Append text, in pieces of any size, as `print` writes it."""
        self._line += text
        while "\n" in self._line:
            line, self._line = self._line.split("\n", 1)
            self._take(ANSI.sub("", line))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered to the file."""
        self._file.flush()

    def close(self) -> None:
        """Write the rest and close the file."""
        with contextlib.suppress(OSError):  # a full disk has been said by whoever met it first
            super().close()
            self._file.close()

    def _take(self, line: str) -> None:
        self._file.write(line + "\n")
        if match := STARTED.search(line):
            self._began, self._current = time.monotonic(), []
            self._report(TaskRun(name=match[1], state=TaskState.RUNNING))
        elif match := ENDED.search(line):
            good = match[2] == "SUCCESS"
            if not good and self.failed is None:
                self.failed, self.tail = match[1], tail(self._current)
            state = TaskState.SUCCEEDED if good else TaskState.FAILED
            self._report(TaskRun(name=match[1], state=state, seconds=round(time.monotonic() - self._began, 3)))
        else:
            self._current.append(line)

    def _report(self, task: TaskRun) -> None:
        self._file.flush()
        self.tasks[task.name] = task
        self._progress(task)


def tail(lines: list[str]) -> list[str]:
    """The last lines that are the task's own: its traceback without kfp's frames and JSON."""
    own = [line.removeprefix("    ") for line in lines if not NOISE.search(line)]
    starts = [place for place, line in enumerate(own) if line.startswith("Traceback (most recent call last)")]
    if not starts:
        return own[-TAIL_LINES:]
    head, *trace = own[starts[-1] :]
    frames = [place for place, line in enumerate(trace) if line.startswith('  File "') and "kfp" not in line]
    return [head, *trace[frames[0] if frames else 0 :][-TAIL_LINES:]]
