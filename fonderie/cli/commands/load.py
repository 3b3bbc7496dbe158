"""`fonderie load`: a load run against a server, with a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from fonderie.cli import options
from fonderie.core.errors import ExitCode
from fonderie.core.files import write_text
from fonderie.core.home import home
from fonderie.core.page import page

if TYPE_CHECKING:
    from ml.serving.load import Load, LoadPlan


def command(
    model: options.Model,
    url: Annotated[str, typer.Option(help="Address of the server.")] = "http://127.0.0.1:8080",
    seconds: Annotated[float, typer.Option(help="Duration in seconds.", min=0.1)] = 10.0,
    connections: Annotated[int, typer.Option(help="Concurrent connections.", min=1, max=256)] = 4,
    instances: Annotated[int, typer.Option(help="Instances per request.", min=1, max=1000)] = 1,
    rate: Annotated[float | None, typer.Option(help="Requests per second; default: as many as possible.")] = None,
    registry: options.Registry = "",
    as_json: options.AsJson = False,
) -> None:
    """Load-test a running server; report rate, latencies, failures and versions.

    It sends the champion's probes: rows it was checked with at registration. Exits with 5 when a request failed.

    ```console
    fonderie load air_time
    fonderie load air_time --seconds 30 --rate 500 --instances 100
    ```
    """
    from ml.models import load_model
    from ml.registry import open_registry
    from ml.serving.load import LoadPlan, bodies_of, run, section
    from ml.serving.scoring.compiled_version import probe_instances

    champion = open_registry(load_model(model).name, registry).get("champion")
    bodies = bodies_of(probe_instances(champion.folder), instances)
    plan = LoadPlan(f"{url.rstrip('/')}/models/{model}/predict", bodies, seconds, connections, rate)
    load = run(plan)
    path = home() / "reports" / f"load-{model}.html"
    write_text(path, page(f"Load run of {model}", [section(load, plan)]))
    _say(load, plan, instances, path, as_json)
    if load.failed:
        raise typer.Exit(int(ExitCode.STEP_FAILED))


def _say(load: Load, plan: LoadPlan, instances: int, path: Path, as_json: bool) -> None:
    facts: dict[str, Any] = {
        "url": plan.url,
        "seconds": round(load.seconds, 2),
        "requests": load.requests,
        "requests_a_second": round(load.rate, 1),
        "predictions_a_second": round(load.rate * instances, 1),
        "p50_ms": round(load.quantile_ms(0.5), 3),
        "p95_ms": round(load.quantile_ms(0.95), 3),
        "p99_ms": round(load.quantile_ms(0.99), 3),
        "failed": load.failed,
        "versions": dict(load.versions),
        "report": str(path),
    }
    if as_json:
        print(json.dumps(facts))
        return
    console = Console(highlight=False, soft_wrap=True)
    for name, value in facts.items():
        console.print(f"  {name.replace('_', ' '):<21} {value}", markup=False)
