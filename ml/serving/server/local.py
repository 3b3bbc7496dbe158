"""The server on this machine: the champions of a registry, canaries followed, predictions logged under .fonderie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fonderie.core.home import home
from ml.serving.server.app import open_desk, serve
from ml.serving.server.settings import Settings
from ml.serving.server.version_sources import RegistrySource


def serve_models(models: Sequence[str], settings: Settings, *, host: str, registry: str = "", log: bool = True) -> None:
    """Serve until SIGINT or SIGTERM; the first model is the one the plain predict route asks."""
    if log and not settings.log_sink:
        settings = replace(settings, log_sink=str(home() / "serving" / "predictions"))
    settings.check()
    sources = {model: RegistrySource(model, registry, settings.max_instances) for model in models}
    serve(open_desk(settings), sources, host=host)
