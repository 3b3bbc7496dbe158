"""More rows: features of ten and fifty times as many, each task at ten times, what that costs; and submitting them.

Fifty times is held against fifty times the packaged rows, without what a process that has nothing to compute takes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ci.cost.prices import Prices, load_prices
from fonderie.google import Access
from ml.datasets.months import Month
from ml.datasets.packaged import partition
from ml.datasets.parquet import read_parquet
from ml.datasets.schema import Dataset
from ml.datasets.sources import Source
from ml.models import load_model
from pipelines.compile import compile_pipeline
from pipelines.engines.vertex import VertexEngine, VertexSettings
from tests.benchmarks.rows import Row, seconds
from tests.benchmarks.task import MODEL, Taken, run
from tests.google.server import running
from tests.grown import grow

TIMES = (1, 10, 50)
TASKS = ("extract", "validate", "features", "train", "evaluate")
MONTHS = [Month(2013, month) for month in (1, 2, 3, 4)]
MEMORY_MB = 4000  # of the features, whatever the number of months: ml.features.tables.MAX_ROWS
FONDERIE = Path(sys.executable).with_name("fonderie")


def measure() -> Iterator[Row]:
    """Needs 2 GB of disk for a while; every process has a home of its own."""
    with tempfile.TemporaryDirectory() as folder:
        origin = Source(partition(Path(folder) / "packaged"))
        yield from _features(origin, Path(folder))
        yield from _tasks(origin, Path(folder))
    yield from _commands()
    yield _submission()


def _features(origin: Source, folder: Path) -> Iterator[Row]:
    found = {times: _features_of(origin, folder / f"all-{times}", times) for times in TIMES}
    for times, (taken, _, rows) in found.items():
        what = f"features of {MODEL}, {times}x: {rows:,} rows, peak memory"
        yield Row(what, taken.peak_mb, "MB", f"<= {MEMORY_MB} MB", taken.peak_mb <= MEMORY_MB)
    (one, start, _), (ten, _, _), (fifty, _, _) = (found[times] for times in TIMES)
    linear = 50 * (one.seconds - start.seconds)
    yield Row(
        f"features of {MODEL}, 50x",
        fifty.seconds,
        "s",
        "linear within 20 %",
        fifty.seconds <= 1.2 * linear,
        linear,
        "fifty times that of 1x",
    )
    yield Row(
        f"features of {MODEL}, 50x", fifty.seconds, "s", "stated", True, 5 * ten.seconds, "five times that of 10x"
    )


def _features_of(origin: Source, folder: Path, times: int) -> tuple[Taken, Taken, int]:
    """Feature files of all months, their contracts looked at before; the same with nothing to do; how many rows."""
    data = grow(origin, folder / "data", times)
    rows = sum(len(read_parquet(data.path(Dataset.FLIGHTS, month), ["flight"])) for month in data.months())
    run("all features", folder, data.root, folder / "home")
    taken = []
    for _ in range(3 if times == 1 else 1):
        shutil.rmtree(folder / "home" / "cache")
        taken.append(run("all features", folder, data.root, folder / "home"))
    nothing = run("all features", folder, data.root, folder / "home")
    shutil.rmtree(folder)
    return min(taken, key=lambda each: each.seconds), nothing, rows


def _tasks(origin: Source, folder: Path) -> Iterator[Row]:
    prices = load_prices()
    taken: dict[int, dict[str, Taken]] = {}
    for times in (1, 10):
        work = folder / f"four-months-{times}"
        data = grow(origin, work / "data", times, MONTHS)
        taken[times] = {step: run(step, work, data.root, work / "home", str(MONTHS[-1])) for step in TASKS}
    for times, steps in taken.items():
        cents = 100 * sum(_price(prices, step, each.seconds) for step, each in steps.items())
        what = f"list price of the tasks' machines while they work, {times}x"
        yield Row(what, cents, "cents", "stated", True)
    for step in TASKS:
        one, ten = taken[1][step], taken[10][step]
        what = f"{step}, four months 10x, {ten.peak_mb:,.0f} MB against {one.peak_mb:,.0f}"
        linear = 10 * one.seconds
        yield Row(what, ten.seconds, "s", "no worse than linear", ten.seconds <= linear, linear, "ten times that of 1x")


def _price(prices: Prices, step: str, taken_s: float) -> float:
    """Dollars: cores and memory of the task's machine as an E2 of Vertex AI, by the second, without its start."""
    wanted = load_model(MODEL).task_compute(step)
    machine = prices.machines["e2"]
    hour = int(wanted.cpu) * machine.core + int(wanted.memory.removesuffix("Gi")) * machine.gib
    return taken_s / 3600 * hour * prices.flat.vertex_factor


def _commands() -> Iterator[Row]:
    for words, limit in ((["--help"], 0.4), (["models", "--help"], 0.4), (["check"], 3.0)):
        command = [str(FONDERIE), *words]
        taken = seconds(lambda command=command: subprocess.run(command, check=True, stdout=subprocess.DEVNULL), runs=5)
        yield Row(f"fonderie {' '.join(words)}", taken, "s", f"<= {limit:g} s", taken <= limit)


def _submission() -> Row:
    """To the stand-in that the tests check requests with; the client library is imported before."""
    image = "europe-west1-docker.pkg.dev/acme/images/pipelines@sha256:" + "b" * 64
    spec = compile_pipeline(MODEL, "training", image)
    with running() as google:
        access = Access("acme", "europe-west1", endpoint=google.address)
        engine = VertexEngine(
            VertexSettings(access, "gs://acme-root/runs", "pipelines@acme.iam.gserviceaccount.com", {})
        )
        parameters = {"month": "2013-04", "registry": "", "data": "", "commit": "c0ffee"}
        engine.submit(spec, "warm-up", parameters | {"run_id": "warm-up"})
        taken = seconds(lambda: engine.submit(spec, "measured", parameters | {"run_id": "measured"}), runs=1)
    return Row("submit to Vertex AI's stand-in, after import", taken, "s", "<= 1 s", taken <= 1)
