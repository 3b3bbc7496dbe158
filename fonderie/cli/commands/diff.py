"""`fonderie diff`: the real `cdktf diff` of an environment."""

from __future__ import annotations

from rich.console import Console

from fonderie.cli import options


def command(env: options.Env) -> None:
    """Show what `fonderie deploy` would do: the plan of each stack, by the real `cdktf`. Nothing is changed.

    Works from any folder. `fonderie preview` is the same for a reader: one comment, destroys first, no secrets.

    ```console
    fonderie diff --env dev
    ```
    """
    from ci.lifecycle.cdktf import Cdktf
    from infra.settings import load_environment

    Cdktf(load_environment(env), Console(stderr=True, highlight=False).print).diff()
