"""`fonderie recreate`: an environment from scratch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from fonderie.cli import options
from fonderie.cli.tables import show_table
from fonderie.core.errors import BadInputError

if TYPE_CHECKING:
    from ci.lifecycle.recreate.destroys import DestroyLoss


def command(
    env: options.Env,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Use the sandbox, not Google.")] = False,
    cloud: options.CloudFile = None,
    yes: options.Yes = False,
    as_json: options.AsJson = False,
) -> None:
    """Destroy an environment's stacks and deploy them again; only the bootstrap stack stays.

    Shows what will be lost and asks for confirmation; `--json` needs `--yes`. Removes protections first, undeploys
    models, undeletes or imports what outlives a destroy, keeps the values of secrets in memory meanwhile, and ends with
    a plan that must be empty. When it fails it names the step; run it again and it continues from there.

    ```console
    fonderie recreate --env local --sandbox
    ```
    """
    from ci.lifecycle.recreate.journal import RecreateJournal
    from ci.lifecycle.recreate.run import confirm, open_recreate

    if as_json and not yes:
        raise BadInputError("--json needs --yes: it cannot ask", hint=f"fonderie recreate --env {env} --yes --json")
    console = Console(stderr=True, highlight=False)
    with open_recreate(env, sandbox=sandbox or cloud is not None, cloud=cloud, tell=console.print) as recreate:
        journal = RecreateJournal.open(env)
        if journal.resumed:
            console.print(f"continuing the recreate of {journal.started:%Y-%m-%d %H:%M} UTC at: {journal.failed}")
        losing = [one for one in recreate.will_lose() if f"destroy {one.stack}" not in journal.done]
        _show(console, losing, env)
        if not yes:
            confirm(losing, env, lambda question: str(typer.prompt(question, err=True)))
        journal.lost += len(losing)
        plans = recreate.run(journal)
    if as_json:
        print(json.dumps({"environment": env, "lost": journal.lost, "steps": journal.done, "stacks": len(plans)}))
    else:
        print(f"recreated {env}: {journal.lost} resources destroyed and created again, the plan is empty")


def _show(console: Console, losing: Sequence[DestroyLoss], env: str) -> None:
    from ci.lifecycle.recreate.destroys import by_stack

    table = Table("stack", "resource", "what is lost", title=f"{env} will lose", title_justify="left")
    for loss in (one for one in losing if one.holds):
        table.add_row(loss.stack, loss.address, loss.holds)
    show_table(table, console)
    console.print(", ".join(f"{stack}: {count} resources" for stack, count in by_stack(losing).items()) or "nothing")
