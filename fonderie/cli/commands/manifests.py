"""`fonderie manifests`: what runs on the clusters, rendered and pushed for Config Sync."""

from __future__ import annotations

import typer

from fonderie.cli import options

app = typer.Typer(no_args_is_help=True)


@app.command("render")
def render_command(env: options.Env) -> None:
    """Print what an environment's cluster is to run. Fetches Kubeflow's manifests.

    ```console
    fonderie manifests render --env dev
    ```
    """
    from ci.manifests import render
    from infra.settings import load_environment

    print(render(load_environment(env)), end="")


@app.command("push")
def push_command(env: options.Env) -> None:
    """Render and push for the environments that pull from this one's registry; what their settings are to name.

    The same manifests are the same digest, and are left as they are.

    ```console
    fonderie manifests push --env dev
    ```
    """
    from ci.manifests import push_all
    from ci.remote.engines import access
    from fonderie.core.errors import BadInputError
    from infra.settings import load_environment

    owner = load_environment(env)
    if owner.images.registry:
        raise BadInputError(f"{env} has no registry", where="--env", hint=f"push for {owner.images.registry}")
    for name, reference in push_all(owner, access(owner)).items():
        print(f'infra/environments/{name}.toml: [kubeflow] manifests = "{reference}"')
