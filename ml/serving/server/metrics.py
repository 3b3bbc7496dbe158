"""What Prometheus scrapes."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

LATENCY_EDGES_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
VERSION = ("model", "version")
Key = tuple[str, str]
"""Model and version."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads


class Metrics:
    """Of one server process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("serving_requests", "Requests", (*VERSION, "status"), registry=registry)
        self.latency = Histogram(
            "serving_latency_seconds",
            "From the body's first byte to the answer",
            VERSION,
            buckets=LATENCY_EDGES_S,
            registry=registry,
        )
        self.predictions = PredictionBuckets()
        registry.register(self.predictions)
        self.versions = Gauge("serving_version", "1: the version in this role", (*VERSION, "role"), registry=registry)
        self.reloads = Counter("serving_reloads", "Reloads", ("model", "result"), registry=registry)
        self.log_rows = Counter("serving_log_rows", "Rows of the prediction log", ("result",), registry=registry)
        self.refused_connections = Counter(
            "serving_refused_connections", "Connections refused or closed: too many, too slow", registry=registry
        )

    def answered(self, key: Key, latency_s: float, values: NDArray[np.float64], edges: Sequence[float]) -> None:
        """A request was answered with these predictions; `edges` are the upper bounds of the version's buckets."""
        self.requests.labels(*key, 200).inc()
        self.latency.labels(*key).observe(latency_s)
        self.predictions.observe(key, values, edges)

    def refused(self, key: Key, status: int) -> None:
        """A request got another status than 200."""
        self.requests.labels(*key, status).inc()

    def logged(self, result: str, rows: int) -> None:
        """Rows of the prediction log were written, failed or dropped."""
        self.log_rows.labels(result).inc(rows)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)


class PredictionBuckets(Collector):
    """A histogram in which each version has buckets of its own: prometheus_client's has the same for all labels."""

    def __init__(self) -> None:
        self._edges: dict[Key, Sequence[float]] = {}
        self._counts: dict[Key, Counts[int]] = defaultdict(Counts)
        self._totals: dict[Key, float] = defaultdict(float)

    def observe(self, key: Key, values: NDArray[np.float64], edges: Sequence[float]) -> None:
        """Count the predictions of a request, shape (rows,)."""
        self._edges[key] = edges
        self._counts[key].update(bisect_left(edges, value) for value in values.tolist())
        self._totals[key] += float(values.sum())

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Called by prometheus_client."""
        family = HistogramMetricFamily("serving_predictions", "Predictions, by deciles of the probes", labels=VERSION)
        for key, edges in sorted(self._edges.items()):
            names = [*map(str, edges), "+Inf"]
            counts = accumulate(self._counts[key][bucket] for bucket in range(len(names)))
            family.add_metric(key, list(zip(names, counts, strict=True)), self._totals[key])
        yield family
