"""`fonderie bootstrap`: what an environment stands on, before anything else."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def command(
    env: Annotated[str, typer.Option("--env", help="The environment.")],
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Make what an environment stands on: state bucket, keys, identities, service agents.

    Applies the bootstrap stack with its state on this machine, asks Google for the service agents that exist on demand
    only, and moves the state into the bucket it has made. Run it again whenever you like: what is there stays, and an
    interrupted run goes on where it was.

    ```console
    fonderie bootstrap --env dev
    fonderie sandbox run -- fonderie bootstrap --env dev
    ```
    """
    from rich.console import Console

    from ci.lifecycle.bootstrap import Bootstrap
    from infra.settings import load_environment

    environment = load_environment(env)
    console = Console(stderr=True, highlight=False)
    with console.status(f"bootstrapping {env}"):
        kept = Bootstrap(environment, lambda step: console.print(f"{env}: {step}")).run()
    if as_json:
        print(json.dumps({"environment": env, "state": str(kept) if kept else "gcs"}))
        return
    where = f"state in {kept}" if kept else "state in its bucket"
    print(f"{env} is bootstrapped ({where}). Next: cdktf deploy '{env}-*'")
