"""`fonderie sandbox`: run commands with an offline stand-in for Google, inspect it, inject faults."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from fonderie.cli import options
from fonderie.cli.tables import show_table
from fonderie.core.errors import BadInputError
from fonderie.sandbox.cloud.cloud import Cloud, CloudObject

if TYPE_CHECKING:
    from fonderie.sandbox.runner import Options

app = typer.Typer(help="An offline stand-in for Google: real Terraform, no account, no credentials.")

SchemaFile = Annotated[
    Path | None, typer.Option("--schema", help="A provider's schema, as `terraform providers schema -json` writes it.")
]
FactsFile = Annotated[Path | None, typer.Option("--facts", help="The facts of the same provider version.")]
Established = Annotated[
    bool,
    typer.Option(
        "--established", help="Treat every API as enabled and every resource referred to from outside as existing."
    ),
]
Projects = Annotated[
    list[str] | None, typer.Option("--project", help="ID=NUMBER: the number of a project; repeatable.")
]
Quotas = Annotated[list[str] | None, typer.Option("--quota", help="NAME=NUMBER: set a quota; repeatable.")]
Identity = Annotated[
    str | None,
    typer.Option(
        "--as",
        help="Who makes every call: plan, apply, builder, pipelines, monitoring, serving, scheduler, retrain, nodes, "
        "person (the owner), engineer, oncall, a member such as user:EMAIL, or anyone (nothing is checked). "
        "Default: plans are made by plan, everything else by apply.",
    ),
]
Propagation = Annotated[
    float,
    typer.Option(
        min=0, help="Seconds after which grants, enabled APIs and log metrics take effect; at Google it is minutes."
    ),
]

Calls = Annotated[
    Path | None,
    typer.Option(
        help="A file, to which every call is written once as a line of JSON: who made it, which permissions it needs "
        "on which resource, and whether they are held.",
    ),
]
RemoteState = Annotated[
    bool,
    typer.Option(
        "--remote-state",
        help="Keep Terraform's state where the settings say: in the state bucket, as the CI does. Default: on this "
        "machine.",
    ),
]


def _options(
    cloud: Path | None,
    schema: Path | None = None,
    facts: Path | None = None,
    established: bool = False,
    projects: list[str] | None = None,
    quotas: list[str] | None = None,
    identity: str | None = None,
    propagation_s: float = 0.0,
    remote_state: bool = False,
    calls: Path | None = None,
) -> Options:
    from fonderie.sandbox.runner import Options, default_cloud

    file = (cloud or default_cloud()).absolute()
    counted, allowed = tuple(projects or ()), tuple(quotas or ())
    calls = calls and _writable(calls.absolute())
    return Options(file, schema, facts, established, counted, allowed, identity, propagation_s, calls, remote_state)


def _writable(calls: Path) -> Path:
    """The file that `--calls` names, made if it is not there. Raises BadInputError before anything is started."""
    try:
        calls.open("a", encoding="utf-8").close()
    except OSError as error:
        raise BadInputError(f"cannot be written: {error.strerror}", where=f"--calls {calls}") from error
    return calls


def _open(cloud: Path | None) -> Cloud:
    file = _options(cloud).cloud
    if not file.is_file():
        raise BadInputError("no cloud file here", where=file, hint="`fonderie sandbox run -- COMMAND` creates one")
    return Cloud(file)


@app.command(context_settings={"ignore_unknown_options": True})
def run(
    command: Annotated[list[str], typer.Argument(help="After `--`: the command and its arguments.")],
    cloud: options.CloudFile = None,
    schema: SchemaFile = None,
    facts: FactsFile = None,
    established: Established = False,
    project: Projects = None,
    quota: Quotas = None,
    identity: Identity = None,
    propagation: Propagation = 0.0,
    remote_state: RemoteState = False,
    calls: Calls = None,
) -> None:
    """Run a command with the stand-in, then stop it; exits with the command's code.

    Terraform, OpenTofu and cdktf find the stand-in by themselves. Examples:

    ```console
    fonderie sandbox run --as person -- fonderie bootstrap --env local
    fonderie sandbox run --as person -- cdktf deploy 'local-*'
    fonderie sandbox run --cloud /tmp/c.sqlite -- terraform -chdir=here plan
    ```
    """
    from fonderie.sandbox.runner import run as run_command

    chosen = _options(cloud, schema, facts, established, project, quota, identity, propagation, remote_state, calls)
    raise SystemExit(run_command(command, chosen))


@app.command()
def shell(
    cloud: options.CloudFile = None,
    schema: SchemaFile = None,
    facts: FactsFile = None,
    established: Established = False,
    project: Projects = None,
    quota: Quotas = None,
    identity: Identity = None,
    propagation: Propagation = 0.0,
    remote_state: RemoteState = False,
    calls: Calls = None,
) -> None:
    """Open a shell in which Terraform talks to the stand-in; leaving it stops the stand-in.

    ```console
    fonderie sandbox shell --established
    ```
    """
    from fonderie.sandbox.runner import run as run_command

    program = os.environ.get("SHELL", "/bin/sh")
    chosen = _options(cloud, schema, facts, established, project, quota, identity, propagation, remote_state, calls)
    raise SystemExit(run_command([program], chosen))


@app.command()
def show(
    name: Annotated[str | None, typer.Argument(help="A type, a path or a part of one; default: everything.")] = None,
    cloud: options.CloudFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the cloud's objects, policies and faults.

    ```console
    fonderie sandbox show
    fonderie sandbox show topics
    ```
    """
    from fonderie.sandbox.cloud.out_of_band import as_dict, find_object

    with _open(cloud) as opened:
        things = [one for one in opened.things() if name is None or name in one.type or name in one.path]
        if as_json:
            print(json.dumps({"objects": [as_dict(one) for one in things], "policies": opened.policies()}, indent=1))
            return
        if name is not None and len(things) == 1:
            print(json.dumps(find_object(opened, things[0].path).attributes, indent=1))
            return
        _table(things, opened)


def _table(things: list[CloudObject], opened: Cloud) -> None:
    table = Table(
        "type", "path", title=f"{len(things)} objects, {len(opened.policies())} policies", title_justify="left"
    )
    for one in things:
        table.add_row(one.type.removeprefix("google_"), one.path)
    show_table(table)


@app.command()
def reset(cloud: options.CloudFile = None, yes: options.Yes = False) -> None:
    """Delete the cloud: its file and its buckets. Terraform's states are not touched.

    ```console
    fonderie sandbox reset --yes
    ```
    """
    from fonderie.sandbox.cloud.out_of_band import forget

    file = _options(cloud).cloud
    if not yes:
        typer.confirm(f"Remove {file} and its buckets?", abort=True)
    forget(file)


@app.command()
def faults(
    rate: Annotated[
        list[str] | None, typer.Option(help="CODE=SHARE of requests that fail, such as 429=0.05; repeatable.")
    ] = None,
    operations: Annotated[
        float | None, typer.Option(help="Share of creates whose operation fails, such as 0.1.")
    ] = None,
    latency: Annotated[str | None, typer.Option(help="Latency of every request, such as 200ms or 1s.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the faults: equal seeds give equal faults.")] = None,
    crash_after: Annotated[int | None, typer.Option(min=0, help="Crash once, after this many writes.")] = None,
    time_scale: Annotated[
        float | None, typer.Option(help="Factor on the waits between retries; 1: as long as at Google.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Turn all faults off.")] = False,
    cloud: options.CloudFile = None,
    as_json: options.AsJson = False,
) -> None:
    """Inject faults into every run from now on; without options, show the current ones.

    ```console
    fonderie sandbox faults --rate 429=0.05 --rate 503=0.02 --latency 200ms --seed 7 --crash-after 12
    ```
    """
    from fonderie.core.toml import checked
    from fonderie.sandbox.lifecycle.faults import FaultSettings, rates_of, seconds_of

    given = {
        "rates": rates_of(rate) if rate else None,
        "operations": operations,
        "latency_s": seconds_of(latency) if latency else None,
        "seed": seed,
        "crash_after": crash_after,
        "time_scale": time_scale,
    }
    with Cloud(_options(cloud).cloud) as opened:
        before = FaultSettings() if off else FaultSettings.read(opened)
        asked = {name: value for name, value in given.items() if value is not None}
        settings = checked({**before.model_dump(), **asked}, FaultSettings, where="fonderie sandbox faults")
        settings.write(opened)
    if as_json:
        print(settings.model_dump_json(indent=1))
        return
    rates = ", ".join(f"{code} in {share:.1%} of requests" for code, share in settings.rates.items()) or "no errors"
    crash = "" if settings.crash_after is None else f", a crash after {settings.crash_after} writes"
    print(f"{rates}, {settings.latency_s * 1000:.0f} ms a request{crash}; seed {settings.seed}")


@app.command()
def edit(
    name: Annotated[str, typer.Argument(help="A Terraform address, an id, or a path.")],
    changes: Annotated[
        list[str], typer.Argument(help="ATTRIBUTE=VALUE, such as labels.env=prod or versioning.0.enabled=false.")
    ],
    cloud: options.CloudFile = None,
) -> None:
    """Change an object outside Terraform.

    ```console
    fonderie sandbox edit events labels.team=other
    ```
    """
    from fonderie.sandbox.cloud import out_of_band
    from fonderie.sandbox.cloud.out_of_band import edit as edit_object
    from fonderie.sandbox.process import default_schema
    from fonderie.sandbox.provider.schema import ProviderSchema

    with _open(cloud) as opened:
        thing = out_of_band.find_object(opened, name)
        edit_object(opened, thing, changes, ProviderSchema.load(default_schema()))
        print(f"changed {thing.path}")


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="A Terraform address, an id, or a path.")], cloud: options.CloudFile = None
) -> None:
    """Delete an object outside Terraform, with everything inside it.

    ```console
    fonderie sandbox delete google_pubsub_topic.events
    ```
    """
    from fonderie.sandbox.cloud import out_of_band

    with _open(cloud) as opened:
        if (membership := out_of_band.delete_membership(opened, name)) is not None:
            print(f"deleted {membership}")
            return
        for path in out_of_band.delete(opened, out_of_band.find_object(opened, name)):
            print(f"deleted {path}")


@app.command()
def undelete(
    name: Annotated[str, typer.Argument(help="The path of a soft-deleted object.")], cloud: options.CloudFile = None
) -> None:
    """Undelete a soft-deleted object (a federation pool, a custom role), as gcloud does.

    ```console
    fonderie sandbox undelete github
    ```
    """
    from fonderie.sandbox.cloud import out_of_band

    with _open(cloud) as opened:
        print(f"undeleted {out_of_band.undelete(opened, name)}")


@app.command()
def agent(
    service: Annotated[str, typer.Argument(help="A service, such as pubsub.googleapis.com.")],
    project: Annotated[str, typer.Option(help="The project's id.")],
    cloud: options.CloudFile = None,
) -> None:
    """Create a service's agent, as `gcloud beta services identity create` does.

    ```console
    fonderie sandbox agent pubsub.googleapis.com --project demo-proj
    ```
    """
    from fonderie.sandbox.cloud import out_of_band

    with _open(cloud) as opened:
        print(out_of_band.make_agent(opened, service, project))


@app.command()
def secret(
    name: Annotated[str, typer.Argument(help="The secret: projects/P/secrets/S, or S.")],
    value: Annotated[str, typer.Argument(help="The new value.")],
    cloud: options.CloudFile = None,
) -> None:
    """Add a version to a secret, as `gcloud secrets versions add` does.

    ```console
    fonderie sandbox secret dev-git-token the-token
    ```
    """
    from fonderie.sandbox.cloud import out_of_band

    with _open(cloud) as opened:
        print(f"added {out_of_band.add_secret_version(opened, out_of_band.find_object(opened, name).path, value)}")
