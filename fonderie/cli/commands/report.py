"""`fonderie report`: the runs of a model as one page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from fonderie.cli import options
from fonderie.core.files import write_text
from fonderie.core.home import home


def command(
    model: options.Model,
    out: Annotated[Path | None, typer.Option(help="File to write; default: .fonderie/reports/MODEL.html.")] = None,
    registry: options.Registry = "",
    as_json: options.AsJson = False,
) -> None:
    """Write every training run of a model and the latest one in full, as one self-contained HTML file.

    ```console
    fonderie report air_time
    ```
    """
    from ml.models import load_model
    from pipelines.training.report import model_page

    config = load_model(model)
    path = out or home() / "reports" / f"{config.name}.html"
    write_text(path, model_page(config, registry=registry, now=datetime.now(UTC)))
    print(json.dumps({"report": str(path)}) if as_json else path)
