"""`fonderie apply`: what was reviewed, and nothing else."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from fonderie.cli import options
from fonderie.core.errors import ExitCode


def command(
    env: options.Env,
    plan: Annotated[str | None, typer.Option(help="The reviewed plan's hash, from the preview's last line.")] = None,
    reviewed: Annotated[
        bool,
        typer.Option(
            "--reviewed", help="Apply what the merged pull request's recorded preview showed, and say so there."
        ),
    ] = False,
    allow_destroy: Annotated[
        list[str] | None,
        typer.Option(help="A stateful resource that may be destroyed: ADDRESS or STACK/ADDRESS; repeatable."),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Plan again, compare with the reviewed plan, and apply the saved plan if it does the same.

    Without `--plan` nothing is applied: it shows what would change, and the plan's hash (exit code 2).
    An apply that failed half-way continues when it is called again, on any machine.

    ```console
    fonderie apply --env dev
    fonderie apply --env dev --plan p-0123456789abcdef0123
    fonderie apply --env staging --reviewed
    fonderie apply --env prod --plan p-0123456789abcdef0123 --allow-destroy prod-data/google_bigquery_dataset.features
    ```
    """
    from ci.apply.apply import Applier, refuse_absent
    from ci.apply.reviewed import apply_reviewed
    from ci.preview.render.comment import render, show
    from ci.preview.render.wording import counted
    from ci.preview.review import Review
    from infra.settings import load_environment

    settings = load_environment(env)
    console = Console(stderr=True)
    with console.status("synthesising") as status:
        applier = Applier(env, progress=status.update, tell=console.print)
        if reviewed and plan is None:
            refuse_absent(settings)
            done = apply_reviewed(applier)
            if done is None:
                raise typer.Exit(int(ExitCode.OK))
            made, plan = done, "reviewed"
        elif plan is None:
            made, _ = applier.preview()
        else:
            refuse_absent(settings)
            made = applier.apply(Review(environment=env, hash=plan), allow_destroy or ())
    if as_json:
        print(made.model_dump_json(indent=2))
    elif plan is None and sys.stdout.isatty():
        show(made, Console())
    elif plan is None:
        print(render(made))
    else:
        print(f"{env}: {counted(made.counts()) or 'nothing to do'}")
    raise typer.Exit(int(ExitCode.CHANGES if plan is None and not made.empty else ExitCode.OK))
