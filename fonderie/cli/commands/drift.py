"""`fonderie drift`: what changed outside Terraform."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from fonderie.cli import options
from fonderie.core.errors import ExitCode


def command(
    env: options.Env,
    put_back: Annotated[
        bool, typer.Option("--put-back", help="Also plan how the code's state comes back, under a hash to review.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare the cloud with what the last apply left, what opens something first. Nothing is changed.

    Says who did it where the audit log may be read. Exits with 0 when nothing changed, 2 when something changed, 1 when
    a stack could not be read.

    ```console
    fonderie drift --env dev
    fonderie drift --env prod --put-back
    ```
    """
    from ci.apply.apply import synthesised
    from ci.apply.drift import drift_of
    from ci.preview.render.document import rich_section
    from ci.preview.render.sections import outside
    from fonderie.google import Access
    from fonderie.google.audit_log import last_callers
    from infra.settings import load_environment

    settings = load_environment(env)

    def callers(names: Iterable[str]) -> Mapping[str, str]:
        access = Access.from_environment(settings.project_id, settings.region)
        return {} if access.endpoint else last_callers(access, names, datetime.now(UTC))

    with Console(stderr=True).status(f"checking {env}"):
        stacks = drift_of(env, synthesised(env), os.environ, callers)
    if as_json:
        print(json.dumps([stack.model_dump(mode="json") for stack in stacks], indent=2))
    else:
        console = Console(soft_wrap=True)
        for stack in stacks:
            word = stack.failure or ("unchanged" if stack.unchanged else "changed outside")
            console.print(f"{stack.name}: {word}", markup=False, highlight=False)
        found = outside(stack.model_copy(update={"outside": stack.changes}) for stack in stacks)
        if found.rows:
            console.print(*rich_section(found), sep="\n")
    if put_back:
        _put_back(env)
    failed, changed = any(stack.failure for stack in stacks), any(stack.changes for stack in stacks)
    raise typer.Exit(int(ExitCode.ERROR if failed else ExitCode.CHANGES if changed else ExitCode.OK))


def _put_back(env: str) -> None:
    """Show the plan that restores what the code says, under the hash that an apply takes."""
    from ci.apply.apply import Applier
    from ci.preview.render.comment import render, show

    console = Console(stderr=True)
    with console.status("planning") as status:
        made, record = Applier(env, progress=status.update, tell=console.print).preview()
    if sys.stdout.isatty():
        show(made, Console())
    else:
        print(render(made))
    if record.changes:
        console.print(f"to put it back: fonderie apply --env {env} --plan {record.hash}", highlight=False)
