"""The container's entry point: `python -m fonderie.serve`, told everything by its environment (`server.settings`)."""

from __future__ import annotations

import os
import sys

from fonderie.core.errors import BadInputError, FonderieError


def main() -> int:
    """Serve the version at AIP_STORAGE_URI; an exit code of fonderie/core/errors.py when it must not be served."""
    from fonderie.google.schemes import register
    from ml.serving.server.app import open_state, serve
    from ml.serving.server.settings import ServerSettings, variable
    from ml.serving.server.version_sources import RegistrySource, UriSource, VersionSource

    try:
        register()
        settings = ServerSettings.read(os.environ)
        if not settings.storage_uri and not (settings.registry and settings.model):
            raise BadInputError("is not set; it must name the folder of a version", where=variable("storage_uri"))
        source: VersionSource = UriSource(settings.storage_uri, settings.model, settings.max_instances)
        if settings.registry:
            source = RegistrySource(settings.model, settings.registry, settings.max_instances)
        serve(open_state(settings), {settings.model: source})
    except FonderieError as error:
        print(f"error: {error}", file=sys.stderr)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
