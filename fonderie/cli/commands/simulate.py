"""`fonderie simulate`: the loop over months that are over, against two baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fonderie.cli import options
from fonderie.cli.tables import show_table
from fonderie.core.files import write_text
from ml.datasets.months import Month

STRATEGIES = ("triggered", "monthly", "never", "naive")

if TYPE_CHECKING:
    from pipelines.simulation.records import Simulation


def command(
    model: options.Model,
    first: Annotated[str, typer.Option("--from", help="The first month, such as 2013-01.")] = "2013-01",
    last: Annotated[str, typer.Option("--to", help="The last month, such as 2013-08.")] = "2023-12",
    first_months: Annotated[int, typer.Option(min=1, help="Number of months that the first model is trained on.")] = 12,
    as_json: options.AsJson = False,
) -> None:
    """Replay every month there is: monitor, decide, train, gate, promote or keep.

    Beside it run one that retrains every month, one that never does, and the naive feature without a model. A first
    model of less than a year is a cold start: it lacks seasons, and retraining gains more. An interrupted replay
    continues where it stopped when it is started again.

    ```console
    fonderie simulate air_time --from 2013-01 --to 2023-12
    ```
    """
    from ml.models import load_model
    from pipelines.simulation.loop import plan, simulate
    from pipelines.simulation.report import simulation_page

    made = plan(load_model(model), Month.parse(first), Month.parse(last), first_months=first_months)
    console = Console(stderr=True)
    with console.status(f"{model}: {len(made.watched)} months") as status:
        done = simulate(made, lambda month, doing: status.update(f"{model} {month}: {doing}"))
    report = done.folder / "report.html"
    write_text(report, simulation_page(done))
    write_text(done.folder / "simulation.json", done.model_dump_json(indent=1) + "\n")
    if as_json:
        print(done.model_dump_json())
        return
    _show(done)
    Console().print(f"report: {report}", soft_wrap=True, highlight=False)


def _show(done: Simulation) -> None:
    from pipelines.simulation.report import summary

    months = Table(title=f"{done.model}: {done.metric} by month")
    for column in ("month", "champion", *STRATEGIES, "decision", "gate"):
        months.add_column(column, justify="right" if column in STRATEGIES else "left")
    for each in done.months:
        numbers = ("–" if value is None else f"{value:.3f}" for value in dict(each.metric).values())
        months.add_row(each.month, f"v{each.champion:03d}", *numbers, each.action, each.gate or "")
    sums = Table(title=f"was it worth it? {done.start}")
    for column in ("strategy", f"mean {done.metric}", "over monthly", "retrainings", "training s"):
        sums.add_column(column)
    for name, value, ratio, count, took in summary(done):
        sums.add_row(name, "–" if value is None else f"{value:.3f}", ratio, str(count), f"{took:.0f}")
    for table in (months, sums):
        show_table(table)
