"""Three months: a first champion, then challengers that have to beat it on rows that neither has seen."""

from __future__ import annotations

from rich.table import Table

from ci.remote.runs import task_progress
from fonderie.cli.tables import show_table
from fonderie.demo.runner import Context
from ml.datasets.months import Month
from ml.models import load_model
from pipelines.training.report import model_sections
from pipelines.training.run import TrainingResult, train

MONTHS = (Month(2013, 3), Month(2013, 4), Month(2013, 5))


def train_three_months(context: Context) -> str:
    """Run the training pipeline for each month, and show versions and decisions."""
    runs = []
    for month in MONTHS:
        context.console.print(f"fonderie run training {context.model} --month {month}")
        with task_progress(quiet=False) as progress:
            runs.append(train(context.model, month, registry=context.registry, progress=progress))
    show_table(_table(runs), context.console)
    context.sections += model_sections(load_model(context.model), runs, context.registry)
    promoted = sum(run.version is not None for run in runs)
    last = runs[-1].evaluation
    return f"{promoted} of {len(runs)} challengers promoted; {last.metric} of the last one {last.challenger.metric:.2f}"


def _table(runs: list[TrainingResult]) -> Table:
    table = Table("month", "challenger", "champion", "gate", "champion now, or why not", "seconds", box=None)
    for run in runs:
        ours, theirs = run.evaluation.challenger, run.evaluation.champion
        table.add_row(
            run.evaluation.month,
            f"{run.evaluation.metric} {ours.metric:.2f}",
            f"{theirs.metric:.2f}" if theirs and theirs.metric is not None else "none",
            str(run.decision.outcome),
            run.version or "; ".join(run.decision.reasons),
            f"{run.run.seconds:.1f}",
        )
    return table
