"""What Prometheus scrapes. Counted in plain Python, a microsecond a request; prometheus_client only writes the text."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

LATENCY_EDGES_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
Key = tuple[str, str]
"""Model and version."""


@dataclass
class Histogram:
    """Counts between `edges` (upper bounds, inclusive), and the sum of the values."""

    edges: Sequence[float]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        """One count more than edges: what is above them."""
        self.counts = [0] * (len(self.edges) + 1)

    def add(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.edges, value)] += 1
        self.total += value

    def add_all(self, values: NDArray[np.float64]) -> None:
        """Count many values at once."""
        found = np.bincount(np.searchsorted(self.edges, values), minlength=len(self.counts)).tolist()
        self.counts = [had + new for had, new in zip(self.counts, found, strict=True)]
        self.total += float(values.sum())

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative, as Prometheus wants them."""
        names = [*(f"{edge:g}" for edge in self.edges), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


class Metrics:
    """Of one server process. One thread writes: the event loop's."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.latency: dict[Key, Histogram] = {}
        self.predictions: dict[Key, Histogram] = {}
        self.reloads: Counter[tuple[str, str]] = Counter()
        self.served: dict[Key, str] = {}  # -> role
        self.log_rows: Counter[str] = Counter()
        self.refused_connections = 0
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def answered(self, key: Key, latency_s: float, values: NDArray[np.float64], edges: Sequence[float]) -> None:
        """A request was answered with these predictions."""
        self.requests[*key, 200] += 1
        if key not in self.latency:
            self.latency[key] = Histogram(LATENCY_EDGES_S)
            self.predictions[key] = Histogram(edges)
        self.latency[key].add(latency_s)
        if len(values) == 1:
            self.predictions[key].add(float(values[0]))
        else:
            self.predictions[key].add_all(values)

    def refused(self, key: Key, status: int) -> None:
        """A request got another status than 200."""
        self.requests[*key, status] += 1

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Called by prometheus_client."""
        requests = CounterMetricFamily("serving_requests", "Requests", labels=["model", "version", "status"])
        for (model, version, status), count in sorted(self.requests.items()):
            requests.add_metric([model, version, str(status)], count)
        yield requests
        yield self._histograms("serving_latency_seconds", "From the body's first byte to the answer", self.latency)
        yield self._histograms("serving_predictions", "Predictions, by deciles of the probes", self.predictions)
        served = GaugeMetricFamily(
            "serving_version", "1: the version in this role", labels=["model", "version", "role"]
        )
        for (model, version), role in sorted(self.served.items()):
            served.add_metric([model, version, role], 1)
        yield served
        yield _counter("serving_reloads", "Reloads", ["model", "result"], self.reloads)
        rows = CounterMetricFamily("serving_log_rows", "Rows of the prediction log", labels=["result"])
        for result, count in sorted(self.log_rows.items()):
            rows.add_metric([result], count)
        yield rows
        refused = CounterMetricFamily(
            "serving_refused_connections", "Connections refused or closed: too many, too slow"
        )
        refused.add_metric([], self.refused_connections)
        yield refused

    def _histograms(self, name: str, words: str, histograms: dict[Key, Histogram]) -> HistogramMetricFamily:
        family = HistogramMetricFamily(name, words, labels=["model", "version"])
        for key, histogram in sorted(histograms.items()):
            family.add_metric(list(key), histogram.buckets(), histogram.total)
        return family


def _counter(name: str, words: str, labels: list[str], counts: Counter[tuple[str, str]]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, words, labels=labels)
    for values, count in sorted(counts.items()):
        family.add_metric(list(values), count)
    return family
