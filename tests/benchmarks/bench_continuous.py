"""Continuous training: the measures' time, false alarms, missed shifts, and whether the loop is worth it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from ml.datasets.months import Month
from ml.features.tables import build
from ml.models import ModelConfig, load_model
from ml.monitoring.champion import champion_version, load_champion
from ml.monitoring.drift import counts_of, histogram, jensen_shannon, l_infinity
from ml.monitoring.monitor import Champion, monitor_month
from ml.registry import open_registry
from pipelines.simulation.loop import plan, simulate
from pipelines.training.challengers import judge_and_promote, train_once
from tests.benchmarks.rows import Row, seconds
from tests.flights import months_between
from tests.unit.ml.monitoring.shifts import SHIFTS

TRIES = 200
WATCHED = (Month(2013, 3), Month(2013, 8), Month(2013, 12))
"""The months of a champion's gate: their seasons are known to it, so that only the shift can be what alarms."""


def measure() -> Iterator[Row]:
    """All of it, in a home of its own."""
    with own_home() as home:
        config = load_model("air_time")
        yield drift_time(config)
        champions = [champion_of_month(config, month, home) for month in WATCHED]
        yield false_alarms(config, champions)
        yield missed_shifts(config, champions)
        yield from loop(config)


@contextmanager
def own_home() -> Iterator[Path]:
    """Nothing that was cached before counts."""
    before = os.environ.get("FONDERIE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FONDERIE_HOME"] = folder
        try:
            yield Path(folder)
        finally:
            os.environ.pop("FONDERIE_HOME")
            if before:
                os.environ["FONDERIE_HOME"] = before


def rows_of(config: ModelConfig, first: Month, last: Month) -> pd.DataFrame:
    """Feature table of these months."""
    return build(config, months_between(first, last)).table().to_pandas()


def drift_time(config: ModelConfig) -> Row:
    """18 columns: the features and the label, as the prediction would be."""
    reference = rows_of(config, Month(2013, 1), Month(2013, 3)).iloc[:77_000]
    current = rows_of(config, Month(2013, 5), Month(2013, 6)).iloc[:29_000]

    def every() -> None:
        for name in (*config.features.numeric, "target"):
            jensen_shannon(histogram(reference[name]), histogram(current[name]))
        for name in config.features.categorical:
            l_infinity(counts_of(reference[name].tolist())[0], counts_of(current[name].tolist())[0])

    took = min(seconds(every, runs=1) for _ in range(15))  # the best: what else the machine does is not the measures'
    what = "drift of 18 columns, 77,000 against 29,000 rows, best of 15"
    return Row(what, took, "s", "<= 0.1 s", took <= 0.1)


def champion_of_month(config: ModelConfig, month: Month, home: Path) -> Champion:
    """Trained, gated and registered as the pipeline does."""
    registry = str(home / f"registry-{month}")
    judge_and_promote(config, train_once(config, month), registry, home / f"judged-{month}", run_id=str(month))
    return load_champion(config, champion_version(open_registry(config.name, registry)))[1]


def false_alarms(config: ModelConfig, champions: list[Champion]) -> Row:
    """Months drawn from each champion's own training months, of 300 to 29,000 rows."""
    alarms = 0
    rng = np.random.default_rng(11)
    pools = [rows_of(config, champion.months[0], champion.months[-1]) for champion in champions]
    for attempt in range(TRIES):
        champion, pool = champions[attempt % len(champions)], pools[attempt % len(champions)]
        drawn = pool.sample(int(rng.choice([300, 3_000, 10_000, 29_000])), random_state=attempt)
        alarms += bool(monitor_month(config, champion, champion.months[-1], drawn).alarms)
    share = 100 * alarms / TRIES
    return Row(f"false alarms in {TRIES} months drawn from the reference", share, "%", "<= 2 %", share <= 2)


def missed_shifts(config: ModelConfig, champions: list[Champion]) -> Row:
    """Every kind of shift in every watched month; caught is an alarm the month did not raise without it."""
    rng = np.random.default_rng(12)
    caught = tried = 0
    for champion in champions:
        month = champion.months[-1]
        current = rows_of(config, month, month)
        usual = {finding.name for finding in monitor_month(config, champion, month, current).alarms}
        for shift in SHIFTS.values():
            found = {f.name for f in monitor_month(config, champion, month, shift(current, rng)).alarms}
            caught, tried = caught + bool(found - usual), tried + 1
    share = 100 * caught / tried
    what = f"{len(SHIFTS)} kinds of shift in {len(champions)} months, caught in their first window"
    return Row(what, share, "%", ">= 95 %", share >= 95)


def loop(config: ModelConfig) -> Iterator[Row]:
    """24 months: 2013 and 2023."""
    start, busy = time.perf_counter(), time.process_time()
    done = simulate(plan(config, Month(2013, 1), Month(2023, 12)), lambda month, doing: None)
    took, mean = time.perf_counter() - start, done.mean()
    ours, monthly, never = (value or float("nan") for value in (mean.triggered, mean.monthly, mean.never))
    yield Row("simulate 24 months, trainings of all strategies included", took, "s", "<= 480 s", took <= 480)
    busy = time.process_time() - busy
    yield Row("the same, processor time: what it takes on an idle machine", busy, "s", "<= 480 s", busy <= 480)
    what = "mean absolute error, triggered"
    yield Row(what, ours, "min", "<= 1.02 of monthly", ours <= 1.02 * monthly, monthly, "retraining every month")
    yield Row(what, ours, "min", "<= 0.75 of never", ours <= 0.75 * never, never, "never retraining")
    counts = float(done.triggered_trainings), float(len(done.months))
    yield Row("trainings, triggered", counts[0], "runs", "<= 0.6", counts[0] <= 0.6 * counts[1], counts[1], "monthly")
    refused = sum(month.gate == "keep" for month in done.months)
    yield Row("challengers that the gate refused", float(refused), "runs", ">= 1", refused >= 1)
    full = done.months[-6].memory_mb  # the training window has reached twelve months long before
    last = done.months[-1].memory_mb
    yield Row("peak memory after the last month", last, "MB", "<= 1.1", last <= 1.1 * full, full, "half a year before")
