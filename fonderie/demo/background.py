"""Work that the first steps need not wait for: in a process of its own, shown by the step it belongs to."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process, resource_tracker
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from fonderie.core.errors import ExitCode
from pipelines.engines.local import descendants, end_descendants

A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True)
class Done(Generic[T]):
    """What came of it, and how long it took."""

    result: T
    seconds: float


Work: TypeAlias = Future[Done[T]]


@dataclass(frozen=True)
class Beside:
    """One process, which does one thing after the other: two cores are few."""

    pool: ProcessPoolExecutor

    def begin(self, work: Callable[[A], T], argument: A) -> Work[T]:
        """Do it as soon as what was begun before is done; its error is raised where its result is asked for."""
        return self.pool.submit(_timed, work, argument)


@contextmanager
def beside(log: Path) -> Iterator[Beside]:
    """While the block runs; what is unfinished when it ends is ended. What the work prints goes into `log`."""
    resource_tracker.ensure_running()  # a process of multiprocessing's own, which stays
    before = descendants(os.getpid())
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_settle, initargs=(log,))
    try:
        yield Beside(pool)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        end_descendants(but=before)
        pool.shutdown()


def _settle(log: Path) -> None:
    """In the process: nothing on the screen, Ctrl-C is for the demo, and when that is gone so is this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes' threads on two cores cost ten times what they bring
    sys.stdout = sys.stderr = log.open("a", buffering=1, encoding="utf-8")
    threading.Thread(target=_end_with_the_demo, daemon=True).start()


def _end_with_the_demo() -> None:
    if demo := parent_process():
        demo.join()
        os._exit(ExitCode.INTERRUPTED)


def _timed(work: Callable[[A], T], argument: A) -> Done[T]:
    start = time.monotonic()
    return Done(work(argument), time.monotonic() - start)
