"""`fonderie models`: versions, who is champion, and putting another one in its place."""

from __future__ import annotations

import getpass
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fonderie.cli import options
from fonderie.cli.tables import show_table
from fonderie.core.files import write_text
from fonderie.core.home import home

if TYPE_CHECKING:
    from ml.registry import ModelRecord, Registry

TIMES = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d"]

app = typer.Typer(help="Show models and their versions; promote, roll back.")


@app.command("list")
def list_models(
    model: options.OnlyModel = "",
    registry: options.Registry = "",
    as_json: options.AsJson = False,
) -> None:
    """List every version of every model, with its aliases.

    ```console
    fonderie models list
    fonderie models list air_time --json
    ```
    """
    from ml.models import list_models as names

    opened = [_open(name, registry) for name in ([model] if model else names())]
    lines = [line for each in opened for line in _lines(each)]
    for problem in (problem for each in opened for problem in each.damaged()):
        print(f"warning: {problem}", file=sys.stderr)
    if as_json:
        print(json.dumps(lines, indent=2))
        return
    table = Table("model", "version", "month", "metric", "95 %", "aliases", "registered", "run", box=None)
    for line in lines:
        style = "bold" if "champion" in line["aliases"] else ""
        table.add_row(
            line["model"],
            line["version"],
            line["month"],
            f"{line['metric_name']} {line['metric']:.3f}",
            f"{line['low']:.3f} to {line['high']:.3f}" if line["low"] is not None else "",
            ", ".join(line["aliases"]),
            line["registered_at"][:16].replace("T", " "),
            line["run"],
            style=style,
        )
    if lines:
        show_table(table)
    else:
        print("no versions yet: fonderie run training MODEL --month MONTH")


@app.command()
def show(
    model: options.Model,
    version: options.Version = "champion",
    registry: options.Registry = "",
    as_json: options.AsJson = False,
) -> None:
    """Show one version's record: data, code, parameters, metrics, the gate's decision.

    ```console
    fonderie models show air_time
    fonderie models show air_time --version previous-champion --json
    ```
    """
    found = _open(model, registry).get(version)
    record = found.record
    if as_json:
        print(record.model_dump_json(indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[bold]{record.model} {record.label}[/]  {found.folder}")
    for name, value in _facts(record):
        console.print(f"  {name:<16} {value}", markup=False)


@app.command()
def promote(
    model: options.Model,
    version: options.Version,
    reason: options.Reason,
    registry: options.Registry = "",
    as_json: options.AsJson = False,
) -> None:
    """Make a version champion by hand. The gate accepted it once; who promotes it and why is logged.

    Exits with 6 when the champion is moved at the same time.

    ```console
    fonderie models promote air_time --version 2 --reason "holiday timetable"
    ```
    """
    versions = _open(model, registry)
    before = versions.aliases().champion
    number = versions.get(version).record.version
    who, now = _signed()
    record = versions.promote(number, before, reason=reason, who=who, now=now)
    _say(record, before, as_json)


@app.command()
def rollback(
    model: options.Model,
    reason: options.Reason,
    to: Annotated[int | None, typer.Option(help="A version, by number; default: the previous champion.")] = None,
    registry: options.Registry = "",
    env: options.Env = "",
    as_json: options.AsJson = False,
) -> None:
    """Make the previous champion, or a version, champion again; the traffic follows, and a running canary ends.

    With `--env` it is the champion of that environment's registry and endpoint on Vertex AI.
    Exits with 7 when there is no previous champion, with 6 when the champion is moved at the same time.

    ```console
    fonderie models rollback air_time --reason "alarm of 2 May"
    fonderie models rollback air_time --to 1 --reason "alarm of 2 May"
    fonderie models rollback air_time --reason "alarm of 2 May" --env prod
    ```
    """
    from ml.serving.canary.store import follow_rollback

    if env:
        from ci.remote.engines import environment, open_endpoint
        from infra import names

        registry = names.registry_location(environment(env))
    versions = _open(model, registry)
    before = versions.aliases().champion
    who, now = _signed()
    record = versions.rollback(to, expected_current=before, reason=reason, who=who, now=now)
    follow_rollback(model, f"rolled back to {record.label}: {reason}", now=now)
    if env:
        open_endpoint(environment(env), model).set({str(record.version): 100})
    _say(record, before, as_json)


@app.command()
def deploy(
    env: options.Env,
    model: options.OnlyModel = "",
    as_json: options.AsJson = False,
) -> None:
    """Deploy champions to their endpoints on Vertex AI, on the machines of the environment's `[serving]`.

    Does nothing when all is up to date. A challenger on an endpoint keeps its share of the traffic, the previous
    champion stays without traffic for a rollback, other versions are undeployed. Every deploy of an environment runs
    it.

    ```console
    fonderie models deploy --env dev
    fonderie models deploy air_time --env dev
    ```
    """
    from ci.remote.engines import environment, open_endpoint, serving_machines
    from infra import names
    from ml.models import list_models, load_model

    where = environment(env)
    told: dict[str, list[str]] = {}
    for name in [load_model(model).name] if model else list_models():
        aliases = _open(name, names.registry_location(where)).aliases()
        if aliases.champion is not None:
            told[name] = open_endpoint(where, name).bring(aliases, serving_machines(where))
        if not as_json:
            done = told.get(name, ["no champion yet"])
            print(f"{name}: {'; '.join(done) or 'up to date'}")
    if as_json:
        print(json.dumps(told, indent=2))


@app.command()
def log(model: options.Model, registry: options.Registry = "", as_json: options.AsJson = False) -> None:
    """List every move of an alias: when, who and why.

    ```console
    fonderie models log air_time
    ```
    """

    moves = _open(model, registry).aliases().moves
    if as_json:
        print(json.dumps([move.model_dump(mode="json") for move in moves], indent=2))
        return
    table = Table("when", "alias", "from", "to", "who", "why", box=None)
    for move in moves:
        ends = (f"v{end:03d}" if end else "" for end in (move.before, move.after))
        table.add_row(f"{move.at:%Y-%m-%d %H:%M:%S}", move.alias, *ends, move.who, move.reason)
    show_table(table)


@app.command("at")
def champion_at(
    model: options.Model,
    time: Annotated[datetime, typer.Argument(help="2026-05-02T14:00, in UTC.", formats=TIMES)],
    registry: options.Registry = "",
    as_json: options.AsJson = False,
) -> None:
    """Show the version that was champion at a moment, and what it was made from.

    Exits with 3 when there was no champion yet.

    ```console
    fonderie models at air_time 2026-05-02T14:00
    ```
    """
    from fonderie.core.errors import BadInputError

    versions = _open(model, registry)
    move = versions.aliases().champion_at(time.replace(tzinfo=UTC))
    if move is None or move.after is None:
        raise BadInputError(
            f"{model} had no champion at {time:%Y-%m-%dT%H:%M} UTC", hint=f"fonderie models log {model}"
        )
    record = versions.get(move.after).record
    said = {
        "model": model,
        "version": record.label,
        "since": move.at.isoformat(),
        "by": move.who,
        "reason": move.reason,
        "run": record.run_id,
        "commit": record.commit,
        "data": record.data_hash,
    }
    print(json.dumps(said, indent=2) if as_json else "\n".join(f"{name:<8} {value}" for name, value in said.items()))


@app.command()
def card(
    model: options.Model,
    version: options.Version = "champion",
    registry: options.Registry = "",
    history: options.History = "",
    as_json: options.AsJson = False,
) -> None:
    """Write a version's model card: purpose, data, metrics by slice, the gate's decision, drift since, lineage.

    ```console
    fonderie models card air_time
    ```
    """
    from ml.models import load_model
    from ml.monitoring.card import card_markdown, card_page, card_parts
    from ml.monitoring.history import History

    config, versions = load_model(model), _open(model, registry)
    record = versions.get(version).record
    verdicts = History.of(model, history).verdicts(record.version)
    parts = card_parts(config, record, versions.aliases(), verdicts)
    stem = home() / "reports" / f"card-{model}-{record.label}"
    made = {"html": f"{stem}.html", "markdown": f"{stem}.md"}
    write_text(Path(made["html"]), card_page(config, record, parts))
    write_text(Path(made["markdown"]), card_markdown(config, record, parts))
    print(json.dumps(made) if as_json else "\n".join(made.values()))


def _open(model: str, location: str) -> Registry:
    """The registry of a model that has a file."""
    from ml.models import load_model
    from ml.registry import open_registry

    return open_registry(load_model(model).name, location)


def _lines(registry: Registry) -> list[dict[str, Any]]:
    aliases = registry.aliases()
    return [
        {
            "model": record.model,
            "version": record.label,
            "month": record.month,
            "metric_name": record.metrics.name,
            "metric": record.metrics.metric,
            "low": record.metrics.interval.low if record.metrics.interval else None,
            "high": record.metrics.interval.high if record.metrics.interval else None,
            "aliases": sorted(alias for alias, target in aliases.current.items() if target == record.version),
            "registered_at": record.registered_at.isoformat(),
            "run": record.run_id,
        }
        for record in registry.list()
    ]


def _facts(record: ModelRecord) -> list[tuple[str, str]]:
    metrics = record.metrics
    return [
        (metrics.name, f"{metrics.metric} on {metrics.rows} held-out rows of {record.month}"),
        ("gate", "; ".join(record.decision.reasons)),
        (
            "trained on",
            f"{', '.join(record.training_months)}: {record.training_rows} rows until {metrics.trained_until}",
        ),
        ("parameters", ", ".join(f"{name} = {value}" for name, value in record.parameters.items())),
        ("seed", str(record.seed)),
        ("run", record.run_id),
        ("commit", record.commit),
        ("code", record.code_version),
        ("data", record.data_hash),
        ("features", record.feature_hash),
        ("configuration", record.config_hash),
        ("model", record.model_hash),
        ("environment", ", ".join(f"{name} {value}" for name, value in record.environment.items())),
        ("packages", ", ".join(f"{name} {version}" for name, version in record.packages.items())),
    ]


def _say(record: ModelRecord, before: int | None, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"model": record.model, "champion": record.version, "before": before}))
        return
    was = f"v{before:03d}" if before else "none"
    Console(highlight=False).print(f"{record.label} is champion of {record.model}, before: {was}")


def _signed() -> tuple[str, datetime]:
    return getpass.getuser(), datetime.now(UTC)
