"""`fonderie infra`: an environment's resources, and who may do what in it."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fonderie.cli import options
from fonderie.cli.tables import repeats, show_table
from fonderie.core.files import write_text
from fonderie.core.resource_types import resource_type
from infra.synthesised import SynthesisedStack, read_stacks

app = typer.Typer(help="Show an environment: its stacks and resources, and who may do what.")


def _stacks(env: str) -> list[SynthesisedStack]:
    """The stacks of `env`, synthesised anew into a folder that is gone afterwards."""
    from ci.synth import synthesise
    from infra.settings import load_environment

    environment = load_environment(env)
    with tempfile.TemporaryDirectory() as scratch, Console(stderr=True).status(f"synthesising {env}"):
        synthesise([environment], Path(scratch))
        return read_stacks(Path(scratch))


@app.command()
def show(
    env: options.Env = "local",
    resources: Annotated[bool, typer.Option("--resources", help="List every resource, not only counts.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show the stacks and how many resources of each type they have.

    ```console
    fonderie infra show --env dev
    ```
    """
    stacks = _stacks(env)
    if as_json:
        print(
            json.dumps({stack.name: [resource.address for resource in stack.resources] for stack in stacks}, indent=2)
        )
        return
    console = Console()
    table = Table("stack", "type", "count", title=env, title_justify="left")
    for stack in stacks:
        counts = Counter(resource.type.removeprefix("google_") for resource in stack.resources)
        for at, (kind, count) in enumerate(sorted(counts.items())):
            table.add_row(stack.name if at == 0 or repeats() else "", kind, str(count))
        table.add_section()
    table.add_row("all", "", str(sum(len(stack.resources) for stack in stacks)), style="bold")
    show_table(table, console)
    if resources:
        for stack in stacks:
            for resource in stack.resources:
                console.print(f"{resource.path}  {resource.address}", highlight=False, soft_wrap=True)


@app.command()
def access(
    env: options.Env = "local",
    identity: Annotated[str | None, typer.Option(help="Only identities that contain this text.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a map of stacks, resources and identities to this HTML file.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show who may do what on which resource.

    ```console
    fonderie infra access --env prod --identity pipelines
    fonderie infra access --env prod --html access.html
    ```
    """
    from infra.access.access_table import display_identity, grants
    from infra.access.map import page

    stacks = _stacks(env)
    found = [grant for grant in grants(stacks) if identity is None or identity in grant.identity]
    if html:
        write_text(html, page(env, stacks))
    if as_json:
        print(json.dumps([grant.model_dump() for grant in found], indent=2))
        return
    table = Table("identity", "role", "on", "only if", title=f"{env}: {len(found)} grants", title_justify="left")
    before = ""
    for grant in found:
        if before not in ("", grant.identity):
            table.add_section()
        kind = resource_type(grant.target_type).word
        name = display_identity(grant.identity) if grant.identity != before or repeats() else ""
        table.add_row(name, grant.role.removeprefix("roles/"), f"{kind} [bold]{grant.target}[/]", grant.condition)
        before = grant.identity
    show_table(table)
    if html:
        Console(stderr=True).print(f"the map is in {html}", highlight=False)
