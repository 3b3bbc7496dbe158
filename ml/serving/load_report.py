"""A load run as a section of a report."""

from __future__ import annotations

from markupsafe import Markup

from fonderie.core.page import Section, facts, verdict
from ml.reports.charts import Bar, bars
from ml.serving.load import Load, Plan, histogram_ms


def section(load: Load, plan: Plan, *, title: str = "Load run") -> Section:
    """Facts and the distribution of the latencies."""
    said = facts(
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
    return Section(title, Markup("{}{}").format(said, _latencies(load)))


def _latencies(load: Load) -> Markup:
    if not load.requests:
        return Markup("")
    edges, counts = histogram_ms(load, bins=14)
    data = [
        Bar(f"{low:.3g} to {high:.3g} ms", float(n)) for low, high, n in zip(edges, edges[1:], counts, strict=False)
    ]
    return bars("Latencies", "requests", data)
