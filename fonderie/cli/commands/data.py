"""`fonderie data`: which months there are, here and in BigQuery; load some; what a query would cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fonderie.cli import options
from fonderie.cli.tables import show_table
from fonderie.core.errors import ExitCode
from ml.datasets.months import Month

if TYPE_CHECKING:
    from fonderie.google.bigquery.origin import BigQueryOrigin

app = typer.Typer()


@app.command()
def months(env: options.Env = "", as_json: options.AsJson = False) -> None:
    """List the months with flights: on this machine, or in an environment's BigQuery.

    ```console
    fonderie data months
    fonderie data months --env dev
    ```
    """
    from ml.datasets.sources import available_months, spans

    found = _origin(env).months() if env else available_months()
    if as_json:
        print(json.dumps([str(month) for month in found]))
    else:
        print(spans(found) or "none")


@app.command()
def load(
    env: options.Env,
    month: Annotated[
        list[str] | None, typer.Option(help="A month such as 2013-04; repeatable. Default: all that are missing.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Load months of this machine (the packaged years, or FONDERIE_DATA's folder) into an environment's BigQuery.

    A month given with --month is replaced as a whole; run an interrupted load again. You need
    roles/bigquery.dataEditor on the dataset and roles/bigquery.jobUser in the project.

    ```console
    fonderie data load --env dev
    fonderie data load --env dev --month 2013-04 --month 2013-05
    ```
    """
    from fonderie.google.bigquery.loading import load as load_months
    from ml.datasets.sources import source, spans

    folder, target = source(), _origin(env)
    there = [] if month else target.months()
    wanted = [Month.parse(each) for each in month or []] or [each for each in folder.months() if each not in there]
    with Console(stderr=True).status("loading") as status:
        rows = load_months(folder, target, wanted, lambda what: status.update(f"loading {what}"))
    if as_json:
        print(json.dumps({"months": [str(each) for each in wanted], "rows": rows, "dataset": target.place}))
    else:
        print(f"{rows:,} rows of {spans(wanted) or 'only the planes: every month is loaded'} in {target.place}")


@app.command()
def estimate(
    model: options.Model,
    month: options.Month,
    env: options.Env,
    as_json: options.AsJson = False,
) -> None:
    """Show how many bytes a training's queries would read, by BigQuery's dry run, which is free.

    Exits with 7 when one of them is above the model's `data.max_bytes_billed`: such a training is refused.

    ```console
    fonderie data estimate air_time --month 2013-04 --env dev
    ```
    """
    from fonderie.google.bigquery.jobs import refuse_above, size
    from fonderie.google.bigquery.origin import limit_of
    from ml.models import load_model

    config, origin = load_model(model), _origin(env)
    wanted = origin.latest(Month.parse(month), config.training.window_months)
    found, limit = origin.estimate(config, wanted), limit_of(config)
    if as_json:
        print(json.dumps({"months": [str(each) for each in wanted], "limit_bytes": limit.max_bytes, "bytes": found}))
        raise typer.Exit(int(ExitCode.OK if max(found.values()) <= limit.max_bytes else ExitCode.REFUSED))
    table = Table("query", "would read", box=None)
    for what, count in found.items():
        table.add_row(what, size(count))
    show_table(table)
    print(f"each may read {size(limit.max_bytes)} ({limit.where})")
    refuse_above(max(found.values()), limit)


def _origin(env: str) -> BigQueryOrigin:
    from fonderie.google.bigquery.origin import BigQueryOrigin
    from infra import names
    from infra.settings import load_environment

    address = names.data_location(load_environment(env))
    return BigQueryOrigin.parse(address)
