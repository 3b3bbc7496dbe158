"""`fonderie serve`: champions over HTTP on this machine."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    models: Annotated[list[str], typer.Argument(help="Models to serve; the first one answers on /predict.")],
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    log_share: Annotated[float, typer.Option(help="Share of requests to log, 0 to 1.")] = 0.1,
    registry: Annotated[str, typer.Option(help="Folder of the registry; default: the one under .fonderie.")] = "",
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
    from ml.models import load_model
    from ml.serving.server.local import serve_models
    from ml.serving.server.settings import Settings

    names = [load_model(name).name for name in models]
    settings = Settings(http_port=port, log_share=log_share)
    serve_models(names, settings, host=host, registry=registry, log=log_share > 0)
