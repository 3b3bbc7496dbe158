"""`fonderie bootstrap`: what an environment needs before anything else."""

from __future__ import annotations

import json

from rich.console import Console

from fonderie.cli import options


def command(
    env: options.Env,
    as_json: options.AsJson = False,
) -> None:
    """Create what an environment needs first: state bucket, keys, identities, service agents.

    Applies the bootstrap stack with its state on this machine, asks Google for the service agents that exist on demand
    only, and moves the state into the bucket it has made. It can be run again at any time: what exists
    stays, and an interrupted run continues where it stopped.

    ```console
    fonderie bootstrap --env dev
    fonderie sandbox run --as person -- fonderie bootstrap --env dev
    ```
    """
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
