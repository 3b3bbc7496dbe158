"""A load run: so many connections asking over and over, what came back, and its section of a report.

One process, one thread, the standard library's sockets.

It shares the machine with the server, so its rates are a lower bound of what the server does.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from fonderie.core.errors import StepFailedError
from fonderie.core.page import Section, facts, verdict
from ml.reports.charts import Bar, bars

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
VERSION = re.compile(rb"\r\nx-model-version: *([^\r]+)", re.IGNORECASE)


@dataclass
class Load:
    """Counts and latencies of a load run."""

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    broken: int = 0  # connections that ended in the middle

    @property
    def requests(self) -> int:
        """Number of answered requests, of any status."""
        return len(self.latencies_s)

    @property
    def failed(self) -> int:
        """Answers other than 200, and connections that broke."""
        return self.requests - self.statuses[200] + self.broken

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0

    def quantile_ms(self, share: float) -> float:
        """Of the latencies, milliseconds; NaN without one."""
        return float(np.quantile(self.latencies_s, share)) * 1000 if self.latencies_s else float("nan")


@dataclass(frozen=True)
class LoadPlan:
    """What to ask, how often and for how long. `bodies` are asked in turn."""

    url: str
    bodies: Sequence[bytes]
    seconds: float = 10.0
    connections: int = 4
    rate: float | None = None  # requests a second over all connections; as many as possible by default
    requests: int | None = None  # stop after so many


def bodies_of(instances: Sequence[dict[str, Any]], per_request: int) -> list[bytes]:
    """Request bodies of `per_request` instances each; the instances are gone through once."""
    groups = [instances[at : at + per_request] for at in range(0, len(instances), per_request)]
    whole = [group for group in groups if len(group) == per_request]
    if not whole:
        times = -(-per_request // len(instances))
        whole = [(list(instances) * times)[:per_request]]
    return [msgspec.json.encode({"instances": group}) for group in whole]


def run(plan: LoadPlan, until: Callable[[Load], bool] | None = None) -> Load:
    """Run the plan, until `until` is true (tried ten times a second). Raises StepFailedError: connection refused."""
    return asyncio.run(_run(plan, until))


async def _run(plan: LoadPlan, until: Callable[[Load], bool] | None) -> Load:
    load = Load()
    started = time.perf_counter()
    tasks = [asyncio.create_task(_ask(plan, load, number, started)) for number in range(plan.connections)]
    while not all(task.done() for task in tasks):
        await asyncio.wait(tasks, timeout=0.1)
        if until is not None and until(load):
            break
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    load.seconds = time.perf_counter() - started
    for result in results:
        if isinstance(result, ConnectionRefusedError) and not load.requests:
            raise StepFailedError("connection refused", where=plan.url, hint="fonderie serve air_time")
        if isinstance(result, Exception) and not isinstance(result, OSError):
            raise result
    return load


async def _ask(plan: LoadPlan, load: Load, number: int, started: float) -> None:
    place = urlsplit(plan.url)
    requests = [_request(place.path or "/predict", place.netloc, body) for body in plan.bodies]
    reader, writer = await asyncio.open_connection(place.hostname, place.port or 80)
    every = plan.connections / plan.rate if plan.rate else 0.0
    turn = number
    try:
        while time.perf_counter() - started < plan.seconds:
            if plan.requests is not None and load.requests >= plan.requests:
                return
            due = started + (turn // plan.connections) * every
            if every and due > time.perf_counter():
                await asyncio.sleep(due - time.perf_counter())
            await _request_once(load, reader, writer, requests[turn % len(requests)])
            turn += plan.connections
    except (ConnectionError, asyncio.IncompleteReadError):
        load.broken += 1
    finally:
        writer.close()


async def _request_once(load: Load, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    began = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    if length is not None:
        await reader.readexactly(int(length[1]))
    load.latencies_s.append(time.perf_counter() - began)
    load.statuses[int(head[9:12])] += 1
    version = VERSION.search(head)
    if version is not None:
        load.versions[version[1].decode()] += 1


def _request(path: str, host: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def section(load: Load, plan: LoadPlan, *, title: str = "Load run") -> Section:
    """Facts and the distribution of the latencies."""
    shown = facts(
        [
            ("server", plan.url),
            ("asked for", f"{load.seconds:.1f} s over {plan.connections} connections"),
            ("requests", load.requests),
            ("requests a second", round(load.rate, 1)),
            ("median, ms", round(load.quantile_ms(0.5), 3)),
            ("95 %, ms", round(load.quantile_ms(0.95), 3)),
            ("99 %, ms", round(load.quantile_ms(0.99), 3)),
            ("failed", verdict(not load.failed, str(load.failed))),
            ("answered by version", ", ".join(f"{name}: {count}" for name, count in sorted(load.versions.items()))),
        ]
    )
    return Section(title, Markup("{}{}").format(shown, _latencies(load)))


def _latencies(load: Load) -> Markup:
    if not load.requests:
        return Markup("")
    edges, counts = _histogram_ms(load, bins=14)
    data = [
        Bar(f"{low:.3g} to {high:.3g} ms", float(n)) for low, high, n in zip(edges, edges[1:], counts, strict=False)
    ]
    return bars("Latencies", "requests", data)


def _histogram_ms(load: Load, bins: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Edges (bins + 1, milliseconds, evenly in the logarithm) and counts (bins) of the latencies."""
    values = np.array(load.latencies_s) * 1000
    edges = np.geomspace(max(values.min(), 1e-3), values.max() * 1.001, bins + 1)
    counts, _ = np.histogram(values, edges)
    return edges, counts.astype(np.int64)
