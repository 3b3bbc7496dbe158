"""The sandbox: how fast its process starts, what it weighs, how near it comes to the real provider."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import ProviderSchema
from tests.benchmarks.rows import Row, seconds
from tests.sandbox import coverage, recordings

GOOGLE = Path("tests/data/google")
SCHEMA = GOOGLE / "schema@7.45.0.json.gz"
ALONE = "grpc and the protocol's stubs alone"


@contextmanager
def stand_in(folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The process with all 143 types, and the environment that it prints when it is up."""
    command = [sys.executable, "-m", "fonderie.sandbox.process", "--cloud", str(folder / "cloud.sqlite")]
    with subprocess.Popen(
        [*command, "--schema", str(SCHEMA), "--established"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdin
        yield process, json.loads(process.stdout.readline())["environment"]
        process.stdin.close()


def start_s(folder: Path) -> float:
    """Seconds until it is up; the median of five."""
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        with stand_in(folder):
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def stubs() -> None:
    """The least that a servicer in Python needs."""
    subprocess.run([sys.executable, "-c", "import grpc; from tf.gen import tfplugin_pb2_grpc"], check=True)


def megabytes(pid: int, what: str) -> float:
    """Of a process, from /proc: `VmRSS` now, `VmHWM` at most."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def measure() -> Iterator[Row]:
    """Rows of docs/benchmarks.md."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        value = start_s(folder)
        yield Row("stand-in process: start", value, "s", "<= 0.6 s", value <= 0.6, seconds(stubs), ALONE)
        with stand_in(folder) as (process, environment):
            began = time.perf_counter()
            recordings.apply_base(GOOGLE / "base.tf.json", folder / "base", environment)
            taken = time.perf_counter() - began
            value = megabytes(process.pid, "VmHWM")
        yield Row("stand-in process: memory after 73 resources of 64 types", value, "MB", "<= 120 MB", value <= 120)
        yield Row("apply these 73 resources with terraform", taken, "s", "<= 8 s", taken <= 8)
    facts = Facts.load()
    rows = coverage.coverage(facts, coverage.compared(ProviderSchema.load(SCHEMA), facts, GOOGLE))
    value = 100 * sum(one.agreed for one in rows) / sum(one.recorded for one in rows)
    what = f"agreement with {sum(one.recorded for one in rows)} recorded plans: outcome, actions, replace paths"
    yield Row(what, value, "%", ">= 99 %", value >= 99)
