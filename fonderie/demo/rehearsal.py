"""A real server in a process of its own, asked over HTTP: a good and a bad challenger, then a rollback."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fonderie.core.errors import StepFailedError
from fonderie.demo.server_process import server_process
from fonderie.demo.version_copies import register_twin
from ml.models import ModelConfig, TaskKind
from ml.registry import Registry
from ml.serving.canary.canary import Canary, Status
from ml.serving.canary.store import begin, margins_of, read_canary, stop, with_steps
from ml.serving.load import Load, LoadPlan, bodies_of, run
from ml.serving.scoring.compiled_version import probe_instances

STEPS, MIN_REQUESTS = "5,25,100", 200  # the model's own steps want fifty thousand requests
CANARY_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Rollback:
    """From one champion to the one before it, under traffic."""

    before: int
    after: int
    seconds: float  # until an answer came from the old champion
    load: Load


@dataclass(frozen=True)
class Demonstration:
    """What the step saw."""

    model: str
    champion: int
    ready_s: float
    memory_mb: float
    single: Load
    hundred: Load
    good: Canary
    bad: Canary
    during: Load  # all requests while the canaries ran
    rollback: Rollback

    @property
    def failed(self) -> int:
        """Requests that went wrong, over everything: 0 or the demonstration is none."""
        return sum(load.failed for load in (self.single, self.hundred, self.during, self.rollback.load))


def demonstrate(
    config: ModelConfig, registry: Registry, root: Path, *, seconds: float = 3.0, say: Callable[[str], None] = print
) -> Demonstration:
    """Serve the champion of `registry` (kept in `root`) and put it through everything. Takes 15 to 30 s.

    Registers two versions, promotes one of them and rolls back to the champion it found. Its canaries are kept beside
    `root`, where no other server follows them. Raises StepFailedError when a canary is not decided in time.
    """
    with _home(root.parent):
        return _demonstrate(config, registry, root, seconds, say)


@contextmanager
def _home(folder: Path) -> Iterator[None]:
    """Runtime state under `folder` for a while."""
    before = os.environ.get("FONDERIE_HOME")
    os.environ["FONDERIE_HOME"] = str(folder)
    try:
        yield
    finally:
        del os.environ["FONDERIE_HOME"]
        if before is not None:
            os.environ["FONDERIE_HOME"] = before


def _demonstrate(
    config: ModelConfig, registry: Registry, root: Path, seconds: float, say: Callable[[str], None]
) -> Demonstration:
    champion = registry.get("champion")
    instances = probe_instances(champion.folder)
    with server_process(SERVING_REGISTRY=str(root), SERVING_MODEL=config.name, SERVING_RELOAD_EVERY_S="0.2") as server:
        say(f"v{champion.record.version:03d} is ready after {server.ready_s:.1f} s")
        url = f"{server.url}/predict"
        single = run(LoadPlan(url, bodies_of(instances, 1), seconds))
        hundred = run(LoadPlan(url, bodies_of(instances, 100), seconds))
        say(f"{single.rate:,.0f} requests a second, {hundred.rate * 100:,.0f} predictions a second in hundreds")
        during = Load()
        traffic = _CanaryTraffic(config, registry, url, bodies_of(instances, 1), during)
        good = traffic.run("rehearsal-equal", 0.0)
        say(f"an equal challenger: {good.status}, {_path(good)}")
        bad = traffic.run("rehearsal-wrong", _wrong_by(config))
        say(f"a wrong challenger: {bad.status}, {bad.reason}")
        rollback = _roll_back(registry, traffic)
        say(f"rolled back to v{rollback.after:03d} in {rollback.seconds:.1f} s")
        memory = server.memory_mb()
    return Demonstration(
        config.name, champion.record.version, server.ready_s, memory, single, hundred, good, bad, during, rollback
    )


def _wrong_by(config: ModelConfig) -> float:
    """Twice the disagreement the model's file allows; for a probability one and a half in the logit."""
    return 2 * config.serving.max_disagreement if config.task is TaskKind.REGRESSION else 1.5


def _path(canary: Canary) -> str:
    return " -> ".join(f"{step.percent:g} %" if step.percent else "shadow" for step in canary.steps)


@dataclass
class _CanaryTraffic:
    config: ModelConfig
    registry: Registry
    url: str
    bodies: list[bytes]
    during: Load

    def run(self, run_id: str, shift: float) -> Canary:
        """A canary of a twin of the champion, with traffic until it is decided."""
        now = datetime.now(UTC)
        with tempfile.TemporaryDirectory(prefix="twin-") as scratch:
            champion = self.registry.get("champion")
            name = f"{run_id}-{now:%Y%m%d%H%M%S%f}"
            number = register_twin(
                self.registry, champion, Path(scratch), run_id=name, shift=shift, who="demo", now=now
            )
        begin(self.registry, number, with_steps(margins_of(self.config.serving), STEPS, MIN_REQUESTS), now=now)
        load = run(LoadPlan(self.url, self.bodies, CANARY_TIMEOUT_S), until=lambda _: self._decided())
        _add(self.during, load)
        canary = read_canary(self.config.name)
        assert canary is not None  # begun above
        if canary.status is Status.RUNNING:
            stop(self.config.name, "not decided in time", now=datetime.now(UTC))
            raise StepFailedError("the canary was not decided in time", where=canary.step.reason)
        return canary

    def _decided(self) -> bool:
        canary = read_canary(self.config.name)
        return canary is not None and canary.status is not Status.RUNNING and self._settled(canary)

    def _settled(self, canary: Canary) -> bool:
        champion = self.registry.aliases().champion
        return canary.status is Status.ABORTED or str(champion) == canary.challenger


def _roll_back(registry: Registry, traffic: _CanaryTraffic) -> Rollback:
    before = registry.aliases().champion
    assert before is not None  # it has been serving all along
    record = registry.rollback(reason="rehearsal", who="demo", now=datetime.now(UTC))
    started = time.perf_counter()
    wanted = str(record.version)
    load = run(LoadPlan(traffic.url, traffic.bodies, 20.0, connections=2), until=lambda load: load.versions[wanted] > 0)
    return Rollback(before, record.version, time.perf_counter() - started, load)


def _add(total: Load, load: Load) -> None:
    total.seconds += load.seconds
    total.latencies_s += load.latencies_s
    total.statuses += load.statuses
    total.versions += load.versions
    total.broken += load.broken
