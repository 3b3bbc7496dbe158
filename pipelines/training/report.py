"""All training runs of a model as sections of a page; the latest one in full."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fonderie.core.errors import BadInputError
from fonderie.core.page import Cell, Section, page, table, verdict
from ml.evaluation.decision import Outcome
from ml.models import ModelConfig
from ml.registry import open_registry
from ml.reports.charts import Line, lines
from ml.reports.training_run import run_sections, versions_section
from pipelines.engines import RunState
from pipelines.engines.local import LocalEngine
from pipelines.training.run import TrainingResult, run_files, training_result


def training_runs(model: str) -> list[TrainingResult]:
    """Every training run of the model that came to its end, oldest first."""
    return [
        training_result(run)
        for run in LocalEngine().list()
        if (run.model, run.pipeline, run.state) == (model, "training", RunState.SUCCEEDED)
    ]


def model_page(config: ModelConfig, *, registry: str, now: datetime) -> str:
    """The whole page. Raises BadInputError without a run."""
    runs = training_runs(config.name)
    if not runs:
        raise BadInputError(
            f"{config.name} has no finished training run", hint=f"fonderie run training {config.name} --month YYYY-MM"
        )
    promoted = sum(run.version is not None for run in runs)
    lead = f"{config.description} {len(runs)} training runs, {promoted} of them promoted."
    return page(f"{config.name}: its runs", model_sections(config, runs, registry), lead=lead, made_at=now)


def model_sections(config: ModelConfig, runs: Sequence[TrainingResult], registry: str = "") -> list[Section]:
    """Runs by month, versions, and the latest run in full: parts for a page of one's own."""
    latest = runs[-1]
    return [
        runs_section(config, runs),
        versions_section(open_registry(config.name, registry), chart=False),
        *run_sections(config, run_files(latest.run.id)),
    ]


def runs_section(config: ModelConfig, runs: Sequence[TrainingResult]) -> Section:
    """Error by month of challenger and champion on the same rows, and what the gate said."""
    ours = Line("challenger", [run.evaluation.challenger.metric for run in runs])
    theirs = Line("champion", [run.evaluation.champion.metric if run.evaluation.champion else None for run in runs])
    months = [run.evaluation.month for run in runs]
    title = f"{config.gate.metric} on each month's held-out days"
    chart = lines(title, runs[-1].evaluation.unit, months, [ours, theirs])
    rows: list[Sequence[Cell]] = [
        (
            run.evaluation.month,
            run.evaluation.challenger.metric,
            run.evaluation.champion.metric if run.evaluation.champion else None,
            verdict(run.decision.outcome is Outcome.PROMOTE, str(run.decision.outcome)),
            run.version or "; ".join(run.decision.reasons),
            run.run.seconds,
            run.run.id,
        )
        for run in runs
    ]
    head = ("month", "challenger", "champion", "gate", "new champion, or why not", "seconds", "run")
    return Section("Month by month", chart + table("Every training run, oldest first", head, rows))
