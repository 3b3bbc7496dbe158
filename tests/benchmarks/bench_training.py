"""The training pipeline: what a task costs over its function, and a month from extraction to report."""

# Annotations are read by kfp: no `from __future__ import annotations` here.

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ml.datasets.months import Month
from pipelines.compile import CompiledSpec, compile_pipeline
from pipelines.engines.local import IMAGE, LocalEngine
from pipelines.training.run import train
from tests.benchmarks.rows import Row, seconds

TASKS = 10


def measure() -> Iterator[Row]:
    """In a home of its own, so that nothing here is from an earlier run but what the rows say."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FONDERIE_HOME"] = folder
        os.environ["OMP_NUM_THREADS"] = "1"
        try:
            yield from _overhead(Path(folder))
            yield from _months()
            yield from _spec()
        finally:
            os.environ.clear()
            os.environ.update(before)


def _overhead(folder: Path) -> Iterator[Row]:
    engine = LocalEngine()
    spec = _chain(folder)
    engine.submit(spec, "warm-up", {})
    engine.wait("warm-up")
    engine.submit(spec, "measured", {})
    start = time.perf_counter()
    engine.wait("measured")
    each = (time.perf_counter() - start) / TASKS
    alone = seconds(lambda: [_add(number) for number in range(TASKS)]) / TASKS
    yield Row("overhead a task, over calling the function", each - alone, "s", "<= 0.15 s", each - alone <= 0.15)


def _months() -> Iterator[Row]:
    """Wall time, and processor time beside it: on a machine that others use, only the second one is the pipeline's."""
    train("air_time", Month(2013, 4))
    for month, says in ((Month(2013, 5), "5 months of history"), (Month(2013, 12), "12 months of history")):
        start, used = time.perf_counter(), _processor_s()
        done = train("air_time", month)
        took, used = time.perf_counter() - start, _processor_s() - used
        what = f"a monthly run, all {len(done.run.tasks)} tasks, {says}"
        yield Row(what, took, "s", "<= 12 s", took <= 12, baseline=used, baseline_name="of processor time")


def _processor_s() -> float:
    """Of this process and its children that ended."""
    now = os.times()
    return now.user + now.system + now.children_user + now.children_system


def _spec() -> Iterator[Row]:
    fresh = seconds(lambda: compile_pipeline("air_time", "training", f"image-{time.time()}"), runs=3)
    kept = seconds(lambda: compile_pipeline("air_time", "training", IMAGE), runs=5)
    what = "a compiled spec that is up to date"
    yield Row(what, kept, "s", "<= 0.1 s", kept <= 0.1, baseline=fresh, baseline_name="compiling it")


def _add(number: int) -> int:
    return number + 1


def _chain(folder: Path) -> CompiledSpec:
    """Ten tasks that add one, each to the one before."""
    from google.protobuf import json_format
    from kfp import dsl

    @dsl.component(base_image=IMAGE, install_kfp_package=False)
    def add(number: int) -> int:
        return number + 1

    @dsl.pipeline(name="chain")
    def chain() -> None:
        step = add(number=0)
        for _ in range(TASKS - 1):
            step = add(number=step.output)

    path = folder / "chain.json"
    path.write_text(json.dumps(json_format.MessageToDict(chain.pipeline_spec)))
    return CompiledSpec("chain", "air_time", "chain", path, hashlib.sha256(path.read_bytes()).hexdigest())
