"""`fonderie deploy`: the real `cdktf deploy` of an environment."""

from __future__ import annotations

import typer
from rich.console import Console

from fonderie.cli import options


def command(env: options.Env, yes: options.Yes = False) -> None:
    """Deploy an environment's stacks with the real `cdktf`, and wait where Google is not ready yet.

    Shows the plan of each stack and asks, unless `--yes` is given. It is `cdktf deploy 'ENV-*'` of this clone, from any
    folder, run again while Google refuses what passes by itself.

    ```console
    fonderie deploy --env dev
    fonderie sandbox run --as person -- fonderie deploy --env local --yes
    ```
    """
    from ci.lifecycle.cdktf import Cdktf
    from infra.settings import load_environment

    console = Console(stderr=True, highlight=False)
    cdktf = Cdktf(load_environment(env), console.print)
    if not yes:
        cdktf.diff()
        typer.confirm(f"Deploy this to {env}?", abort=True, err=True)
    cdktf.deploy()
