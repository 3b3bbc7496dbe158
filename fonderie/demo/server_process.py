"""A server as a child process: for the demonstration, for measurements, for whoever wants one for a while."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from fonderie.core.errors import StepFailedError
from fonderie.core.home import home

READY_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class ServerProcess:
    """A server process that is ready, with its address."""

    url: str
    pid: int
    ready_s: float  # from the process's start to the first 200 of the health route

    def memory_mb(self) -> float:
        """Resident now, megabytes; NaN where the system does not tell."""
        status = Path(f"/proc/{self.pid}/status")
        if not status.exists():
            return float("nan")
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


@contextmanager
def server_process(**variables: str) -> Iterator[ServerProcess]:
    """Run `python -m fonderie.serve` with these environment variables; stopped at the end.

    Raises StepFailedError with its output when it does not become ready.
    """
    port = free_port()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "FONDERIE_HOME": str(home()), "AIP_HTTP_PORT": str(port)}
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:  # not a pipe: one that nobody reads fills up and stops the server
        process = subprocess.Popen(
            [sys.executable, "-m", "fonderie.serve"],
            env={**environment, **variables},
            stderr=output,
            cwd=Path(__file__).parents[2],
        )
        try:
            _wait(process, f"http://127.0.0.1:{port}/health", output)
            yield ServerProcess(f"http://127.0.0.1:{port}", process.pid, time.perf_counter() - started)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, output: TextIO) -> None:
    end = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # our own address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    output.seek(0)
    raise StepFailedError("the server did not become ready", where=url, hint=output.read().strip()[-500:] or None)


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
