"""`fonderie experiment`: hyper-parameters side by side, on the same rows; the best one may be submitted to the gate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fonderie.cli import options
from fonderie.cli.tables import show_table
from fonderie.core.files import write_text
from fonderie.core.home import home
from ml.datasets.months import Month

if TYPE_CHECKING:
    from pathlib import Path

    from ml.models import ModelConfig
    from pipelines.experiments.search import ExperimentResult


def command(
    model: options.Model,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A hyper-parameter and its values, such as max_iter=100,200; repeatable."),
    ] = None,
    month: Annotated[str | None, typer.Option(help="The month to train for; default: the latest.")] = None,
    promote: Annotated[str | None, typer.Option(help="A run of an experiment to submit to the gate.")] = None,
    registry: options.Registry = "",
    env: Annotated[str, typer.Option(help="Also record the runs in this environment's Vertex AI Experiments.")] = "",
    as_json: options.AsJson = False,
) -> None:
    """Train every combination, score all on the same held-out rows, and show them side by side.

    Every combination is a run like any other. The same combination on the same data by the same code is not trained
    again. `--promote` compares a run with the champion and makes it champion if the gate agrees. With `--env` they
    are recorded in Vertex AI Experiments too, once however often this is called; when that fails nothing is lost here.

    ```console
    fonderie experiment air_time --month 2013-06 --set learning_rate=0.05,0.1 --set max_iter=100,200
    fonderie experiment air_time --month 2013-06 --set max_iter=100,200 --env dev
    ```
    """
    from ml.models import load_model

    config = load_model(model)
    if promote:
        _promote(promote, registry, as_json)
        return
    from ml.datasets.sources import available_months
    from pipelines.experiments.search import experiment, parse_grid

    chosen = Month.parse(month) if month else available_months()[-1]
    with Console(stderr=True).status(f"{model} {chosen}") as status:
        tried = experiment(
            config, chosen, parse_grid(settings or []), registry, lambda doing: status.update(f"{model} {doing}")
        )
    page = _write(config, str(chosen), tried)
    if not as_json:
        _show(config, tried)
        Console(highlight=False, soft_wrap=True).print(f"report  {page}")
    recorded = _record(env, config, str(chosen), tried) if env else None
    if as_json:
        runs = [each.model_dump(mode="json") for each in tried]
        print(json.dumps({"report": str(page), "runs": runs, "recorded": recorded}, indent=2))
    elif recorded:
        print(f"in Vertex AI Experiments as {recorded['experiment']}: {recorded['new']} new of {len(tried)}")


def _record(env: str, config: ModelConfig, month: str, tried: list[ExperimentResult]) -> dict[str, str | int]:
    """Put the runs into Vertex AI Experiments; how many were not there yet."""
    from ci.remote.engines import environment, open_experiments
    from pipelines.experiments.search import as_recorded

    name = f"{config.name.replace('_', '-')}-{month}"
    new = open_experiments(environment(env)).record(name, as_recorded(tried), f"{config.description} {month}")
    return {"experiment": name, "new": len(new)}


def _promote(run_id: str, registry: str, as_json: bool) -> None:
    from pipelines.experiments.search import promote

    decision = promote(run_id, registry)
    if as_json:
        print(decision.model_dump_json(indent=2))
        return
    Console(highlight=False).print(f"[bold]{decision.outcome}[/]  {'; '.join(decision.reasons)}")


def _write(config: ModelConfig, month: str, tried: list[ExperimentResult]) -> Path:
    from pipelines.experiments.page import experiment_page

    path = home() / "reports" / f"experiment-{config.name}-{month}.html"
    write_text(path, experiment_page(config, month, tried))
    return path


def _show(config: ModelConfig, tried: list[ExperimentResult]) -> None:
    from pipelines.experiments.page import line

    table = Table(*(line(config, tried[0])), box=None)
    for each in tried:
        table.add_row(*(str(cell) for cell in line(config, each).values()), style="bold" if each is tried[0] else "")
    show_table(table)
