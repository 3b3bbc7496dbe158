"""`fonderie serve`: champions over HTTP on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from fonderie.cli import options


def command(
    models: Annotated[list[str], typer.Argument(help="Models to serve; the first one answers on /predict.")],
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    log_share: Annotated[float, typer.Option(help="Share of requests to log, 0 to 1.")] = 0.1,
    registry: options.Registry = "",
) -> None:
    """Serve predictions of the champions until stopped.

    Promotions, rollbacks and canaries are followed while it runs. The same server runs in the container
    (`python -m fonderie.serve`), where its environment says what to serve.

    ```console
    fonderie serve air_time
    fonderie serve air_time late_arrival --port 8090
    ```

    Then: `/predict`, `/models/late_arrival/predict`, `/health`, `/live`, `/metrics`, `/models`.
    """
    from fonderie.core.home import home
    from fonderie.core.toml import checked
    from ml.models import load_model
    from ml.serving.server.app import open_state, serve
    from ml.serving.server.settings import ServerSettings
    from ml.serving.server.version_sources import RegistrySource

    names = [load_model(name).name for name in models]
    log_sink = str(home() / "serving" / "predictions") if log_share > 0 else ""
    options = {"http_port": port, "log_share": log_share, "log_sink": log_sink}
    settings = checked(options, ServerSettings, where="serve")
    sources = {name: RegistrySource(name, registry, settings.max_instances) for name in names}
    serve(open_state(settings), sources, host=host)
