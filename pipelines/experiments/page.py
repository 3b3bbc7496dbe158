"""An experiment as one HTML page: a table, and parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence

from fonderie.core.page import Cell, Section, page, paragraph, table
from ml.models import ModelConfig
from ml.reports.parallel import Axis, parallel
from pipelines.experiments.search import ExperimentResult


def line(config: ModelConfig, tried: ExperimentResult) -> dict[str, str]:
    """A combination in a line of a table."""
    score = tried.score
    interval = f"{score.interval.low:.3f} to {score.interval.high:.3f}" if score.interval else "–"
    return {
        **{name: f"{value:g}" for name, value in tried.settings.items()},
        str(config.gate.metric): "–" if score.metric is None else f"{score.metric:.4f}",
        "95 %": interval,
        "training s": f"{tried.seconds:.1f}",
        "predictions": tried.prediction_hash[:12],
        "run": tried.run_id,
    }


def experiment_page(config: ModelConfig, month: str, tried: Sequence[ExperimentResult]) -> str:
    """Best first; the best one stands out."""
    rows: list[Sequence[Cell]] = [list(line(config, each).values()) for each in tried]
    caption = f"{config.gate.metric} on the {tried[0].score.rows:,} held-out rows of {month}, the same for all"
    body = table(caption, list(line(config, tried[0])), rows, marked=(0,))
    if len(tried) > 1:
        names = list(tried[0].settings)
        axes = [Axis(name, [float(each.settings[name]) for each in tried]) for name in names]
        known = [each.score.metric if each.score.metric is not None else 0.0 for each in tried]
        body = (
            parallel("One line a run; the best one stands out", [*axes, Axis(str(config.gate.metric), known)], 0) + body
        )
    text = f"Data {tried[0].data_hash[:12]}, seed {config.training.seed}. Equal predictions have equal hashes."
    lead = f"{len(tried)} combinations for {config.name}, {month}"
    return page(f"Experiment on {config.name}", [Section("Side by side", paragraph(text) + body)], lead=lead)
