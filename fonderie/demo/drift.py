"""Months pass: the monitor looks at each, the trigger decides, a challenger is trained, the gate says yes or no."""

from __future__ import annotations

import shutil

from rich.console import Console
from rich.table import Table

from fonderie.cli.tables import show_table
from fonderie.demo.runner import Context
from ml.datasets.months import Month
from ml.models import load_model
from pipelines.simulation.loop import plan, simulate
from pipelines.simulation.records import Simulation
from pipelines.simulation.report import simulation_sections

FIRST, LAST = Month(2013, 1), Month(2023, 5)


def months_pass(context: Context) -> str:
    """Replay the months of 2023 under a first model of the whole of 2013, anew each time."""
    context.console.print(f"like fonderie simulate {context.model} --from {FIRST} --to {LAST}, one baseline less")
    replay = plan(load_model(context.model), FIRST, LAST, monthly=False)
    shutil.rmtree(replay.folder, ignore_errors=True)
    with Console(stderr=True).status("replaying the months") as status:  # stdout is the replay's own log meanwhile
        done = simulate(replay, lambda month, what: status.update(f"{month}: {what}"))
    show_table(_table(done), context.console)
    kept = sum(month.gate == "keep" for month in done.months)
    mean = done.mean()
    outcome = (
        f"{done.triggered_trainings} retrainings in {len(done.months)} months: "
        f"{done.promotions} promoted, {kept} refused by the gate"
    )
    error = (
        f"mean {done.metric} {_number(mean.triggered)}, without retraining {_number(mean.never)}, "
        f"without a model {_number(mean.naive)}"
    )
    context.console.print(f"{outcome}\n{error}")
    context.sections += simulation_sections(done)
    return f"{outcome}; {error}"


def _table(done: Simulation) -> Table:
    table = Table(
        "month",
        f"{done.metric}",
        "without retraining",
        "without a model",
        "alarms",
        "decision",
        "why",
        "gate",
        box=None,
    )
    for month in done.months:
        table.add_row(
            month.month,
            _number(month.metric.triggered),
            _number(month.metric.never),
            _number(month.metric.naive),
            str(len(month.alarms)),
            month.action,
            month.reasons[0] if month.reasons else "",
            month.gate or "",
        )
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
