"""`fonderie canary`: traffic for a challenger, step by step."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fonderie.cli import options
from fonderie.cli.tables import show_table
from fonderie.core.errors import BadInputError
from fonderie.core.home import home

if TYPE_CHECKING:
    from ml.serving.canary.canary import Canary

app = typer.Typer(help="Give a challenger traffic step by step: shadow, then 1, 5, 25, 100 %.")


@app.command()
def start(
    model: options.Model,
    challenger: Annotated[
        int | None, typer.Option(help="A version, by number; default: the registry's challenger.")
    ] = None,
    steps: Annotated[
        str, typer.Option(help="Percentages of the traffic, such as 5,25,100; default: the model's.")
    ] = "",
    min_requests: Annotated[
        int | None, typer.Option(help="Answers that each step needs; default: the model's.")
    ] = None,
    registry: options.Registry = "",
    as_json: options.AsJson = False,
) -> None:
    """Start a canary in shadow mode; a running `fonderie serve` follows within a second.

    Margins and steps are in [serving] of the model's file. Exits with 7 while another canary of the model runs.

    ```console
    fonderie canary start air_time
    fonderie canary start air_time --challenger 4 --steps 5,25,100
    ```
    """
    from ml.models import load_model
    from ml.registry import open_registry
    from ml.serving.canary.store import begin, margins_of, with_steps

    margins = with_steps(margins_of(load_model(model).serving), steps, min_requests)
    _show(model, begin(open_registry(model, registry), challenger, margins, now=datetime.now(UTC)), as_json)


@app.command()
def status(model: options.Model, as_json: options.AsJson = False) -> None:
    """Show the latest canary: every step, its measurements, and the reason of each decision.

    ```console
    fonderie canary status air_time
    ```
    """
    from ml.models import load_model
    from ml.serving.canary.store import read_canary

    canary = read_canary(load_model(model).name)
    _show(model, canary, as_json)


@app.command()
def abort(
    model: options.Model,
    reason: options.Reason,
    as_json: options.AsJson = False,
) -> None:
    """Give all traffic back to the champion.

    ```console
    fonderie canary abort air_time --reason "the dashboards look odd"
    ```
    """
    from ml.models import load_model
    from ml.serving.canary.store import stop

    canary = stop(load_model(model).name, reason, now=datetime.now(UTC))
    _show(model, canary, as_json)


@app.command()
def label(
    model: options.Model,
    labels: Annotated[Path, typer.Argument(help="Parquet: request_id, row, label.")],
    log: Annotated[Path | None, typer.Option(help="The prediction log; default: that of `fonderie serve`.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Give the running canary labels: is the challenger's error larger than the champion's?

    Labels are joined with the prediction log by the request's id (`x-request-id`) and the instance's place in it; those
    of the current step count. Give each label once. The margin is `max_loss_increase` in the model's file.

    ```console
    fonderie canary label air_time landed.parquet
    ```
    """
    from ml.models import load_model
    from ml.serving.canary.canary import observe
    from ml.serving.canary.labels import losses, read_labels
    from ml.serving.canary.store import change

    known, folder = read_labels(labels), log or home() / "serving" / "predictions"
    now = datetime.now(UTC)
    canary = change(load_model(model).name, lambda running: observe(running, losses(running, folder, known), now=now))
    _show(model, canary, as_json)


@app.command()
def split(
    model: options.Model,
    env: options.Env,
    to: Annotated[list[str] | None, typer.Option(help="VERSION=PERCENTAGE, such as 4=5; repeatable.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the traffic split of an environment's endpoint on Vertex AI; with `--to`, set it.

    Terraform makes the endpoint and leaves its split alone. The shares must add up to 100.

    ```console
    fonderie canary split air_time --env dev
    fonderie canary split air_time --env dev --to 3=95 --to 4=5
    ```
    """
    from ci.remote.engines import environment, open_endpoint
    from ml.serving.canary.store import shares_of

    endpoint = open_endpoint(environment(env), model)
    held = endpoint.set(shares_of(to)) if to else endpoint.split()
    print(json.dumps(held) if as_json else ", ".join(f"version {name}: {share} %" for name, share in held.items()))


def _show(model: str, canary: Canary | None, as_json: bool) -> None:
    import msgspec

    if canary is None:
        raise BadInputError(f"no canary of {model} was ever started", hint=f"fonderie canary start {model}")
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(canary)).decode())
        return
    console = Console(highlight=False)
    console.print(
        f"[bold]{canary.model}[/]: version {canary.challenger} beside champion {canary.champion}, {canary.status}, "
        f"{canary.percent:g} % of the traffic"
    )
    table = Table("step", "requests", "its answers", "verdict", "why", box=None)
    for step in canary.steps:
        name = f"{step.percent:g} %" if step.percent else "shadow"
        table.add_row(name, str(step.requests), str(step.challenger_answers), step.verdict, step.reason)
    show_table(table, console)
