"""A new champion takes over in a running server: loaded and checked beside the old one, then swapped in one step."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from fonderie.core.errors import FonderieError
from ml.serving.scoring.compiled_version import Served
from ml.serving.server.predict import Desk
from ml.serving.server.version_sources import Source


def load_all(desk: Desk, sources: Mapping[str, Source]) -> None:
    """Load every model's champion. Raises FonderieError: then the server must not start."""
    for model, source in sources.items():
        put(desk, source.load(source.champion()), as_model=model)


def put(desk: Desk, served: Served, *, as_model: str = "") -> None:
    """Make a version the champion of its model."""
    model = as_model or served.schema.model
    desk.hosting.put_champion(model, served)
    roles = {key: role for key, role in desk.metrics.served.items() if key[0] != model}
    desk.metrics.served = {**roles, (model, served.version): "champion"}


async def watch(desk: Desk, sources: Mapping[str, Source], *, every_s: float) -> None:
    """Look for other champions until cancelled. One that cannot be loaded changes nothing but the log."""
    failed: dict[str, str] = {}
    while True:
        await asyncio.sleep(every_s)
        for model, source in sources.items():
            await _look(desk, model, source, failed)


async def _look(desk: Desk, model: str, source: Source, failed: dict[str, str]) -> None:
    arms = desk.hosting.arms(model)
    try:
        wanted = await asyncio.to_thread(source.champion)
        if not wanted or arms is None or wanted in (arms.champion.version, failed.get(model)):
            return
        served = await asyncio.to_thread(source.load, wanted)
    except FonderieError as error:
        desk.metrics.reloads[model, "failed"] += 1
        desk.journal.write("ERROR", f"the champion stays: {error}", model=model)
        failed[model] = wanted
        return
    put(desk, served)
    desk.metrics.reloads[model, "ok"] += 1
    desk.journal.write("NOTICE", "another champion answers", model=model, version=served.version)
