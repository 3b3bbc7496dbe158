"""`fonderie drift`: what changed outside Terraform."""

from __future__ import annotations

import json
import os

import typer
from rich.console import Console

from fonderie.cli import options
from fonderie.core.errors import ExitCode


def command(
    env: options.Env,
    as_json: options.AsJson = False,
) -> None:
    """Compare the cloud with what the last apply left. Nothing is changed.

    Exits with 0 when nothing changed, 2 when something changed, 1 when a stack could not be read.

    ```console
    fonderie drift --env dev
    ```
    """
    from ci.apply.apply import synthesised
    from ci.apply.drift import drift_of
    from ci.preview.render.wording import change_lines
    from infra.settings import load_environment

    load_environment(env)
    with Console(stderr=True).status(f"checking {env}"):
        stacks = drift_of(env, synthesised(env), os.environ)
    if as_json:
        print(json.dumps([stack.model_dump(mode="json") for stack in stacks], indent=2))
    else:
        for stack in stacks:
            print(f"{stack.name}: {stack.failure or ('unchanged' if stack.unchanged else 'changed outside')}")
            for change in stack.changes:
                print("\n".join(f"  {line}" for line in change_lines(change)))
    failed, changed = any(stack.failure for stack in stacks), any(stack.changes for stack in stacks)
    raise typer.Exit(int(ExitCode.ERROR if failed else ExitCode.CHANGES if changed else ExitCode.OK))
