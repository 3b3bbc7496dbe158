"""`fonderie predict`: a month of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fonderie.cli import options
from ml.datasets.months import Month


def command(
    model: options.Model,
    month: options.Month,
    version: options.Version = "champion",
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to; default: .fonderie/predictions/MODEL/MONTH.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over, even if the folder holds a run.")] = False,
    registry: options.Registry = "",
    as_json: options.AsJson = False,
) -> None:
    """Predict every flight of a month into Parquet files, one a day, all by one version.

    Features and contracts are those of training. An interrupted run continues where it stopped, with the version it
    began with, even when another one is champion by now.

    ```console
    fonderie predict air_time --month 2013-05
    fonderie predict air_time --month 2013-05 --version previous-champion --out may
    ```
    """
    from ml.models import load_model
    from ml.registry import open_registry
    from ml.serving.batch import predict_month

    config = load_model(model)
    with Console(stderr=True).status("building features") as status:
        done = predict_month(
            config,
            Month.parse(month),
            open_registry(config.name, registry),
            version=version,
            out=out,
            fresh=fresh,
            progress=lambda day: status.update(
                f"{day.day}: {day.rows} flights{' (already done)' if day.resumed else ''}"
            ),
        )
    if as_json:
        print(done.model_dump_json(indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{done.rows:,} predictions of {done.days} days by version {done.version}: {done.folder}")
    for name, rows in sorted(done.unknown_categories.items()):
        console.print(f"  {name}: {rows} rows with a category unknown to this version, read as missing")
