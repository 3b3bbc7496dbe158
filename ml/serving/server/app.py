"""The prediction server: routes by Vertex AI's container contract, under uvicorn.

Source: Vertex AI, "Custom container requirements for prediction": listen on 0.0.0.0:AIP_HTTP_PORT, answer GET
AIP_HEALTH_ROUTE with 200 when ready, POST AIP_PREDICT_ROUTE with {"predictions": [...]}.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
import time
from collections.abc import AsyncIterator, Mapping
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from fonderie.core.errors import StepFailedError
from ml.serving.server.connections import GuardedProtocol, House
from ml.serving.server.predict import Desk, Predict
from ml.serving.server.prediction_log import PredictionLog
from ml.serving.server.prediction_sinks import open_sink
from ml.serving.server.reload import load_all, watch
from ml.serving.server.routes import Pages, http_error
from ml.serving.server.settings import Settings
from ml.serving.server.structured_log import JournalHandler
from ml.serving.server.version_sources import RegistrySource, Source

KEEP_ALIVE_S = 620  # longer than Google's load balancers keep theirs: they must be the ones to close


def build_app(desk: Desk, sources: Mapping[str, Source]) -> Starlette:
    """The ASGI application; it follows the champions of its sources while it runs."""
    predict, pages = Predict(desk), Pages(desk)
    routes = [
        Route(desk.settings.predict_route, predict, methods=["POST"]),
        Route("/models/{model}/predict", predict, methods=["POST"]),
        Route(desk.settings.health_route, pages.ready),
        Route("/live", pages.live),
        Route("/metrics", pages.metrics),
        Route("/models", pages.models),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        every_s = desk.settings.reload_every_s
        tasks = [asyncio.create_task(watch(desk, sources, every_s=every_s))]
        registries = {name: source for name, source in sources.items() if isinstance(source, RegistrySource)}
        if registries:
            from ml.serving.canary.follower import CanaryFollower

            tasks.append(asyncio.create_task(CanaryFollower(desk, registries).watch(every_s)))
        yield
        for task in tasks:
            task.cancel()
        if desk.log is not None:
            await asyncio.to_thread(desk.log.close)

    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: http_error})


def open_desk(settings: Settings) -> Desk:
    """A desk with its prediction log, if the settings name one."""
    desk = Desk(settings)
    if settings.log_sink:
        desk.log = PredictionLog(
            open_sink(settings.log_sink),
            counts=desk.metrics.log_rows,
            on_failure=lambda words: desk.journal.request("ERROR", words),
        )
    return desk


class DrainingServer(uvicorn.Server):
    """On SIGTERM: first not ready, for `drain_s` still answering, then no new connection, then the last answers."""

    def __init__(self, config: uvicorn.Config, desk: Desk, house: House) -> None:
        super().__init__(config)
        self._desk = desk
        self._house = house
        self._until: float | None = None

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        """Called on SIGINT and SIGTERM; the second time it stops at once."""
        if self._until is not None:
            self.should_exit = True
            self.force_exit = sig == signal.SIGINT
            return
        self._desk.hosting.draining = True
        self._until = time.monotonic() + self._desk.settings.drain_s

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second."""
        self._desk.metrics.refused_connections = self._house.refused
        if self._until is not None and time.monotonic() >= self._until:
            self.should_exit = True
        return await super().on_tick(counter)


def configure(desk: Desk, sources: Mapping[str, Source], *, host: str) -> tuple[uvicorn.Config, House]:
    """Load and check every version, then what uvicorn needs. Raises FonderieError when one must not be served."""
    load_all(desk, sources)
    settings = desk.settings
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    capacity = max(min(settings.max_connections, files - 64), 1)
    house = House(capacity=capacity, header_timeout_s=settings.header_timeout_s)
    for library in ("uvicorn", "asyncio"):
        logging.getLogger(library).handlers = [JournalHandler(desk.journal)]
    config = uvicorn.Config(
        build_app(desk, sources),
        host=host,
        port=settings.http_port,
        http=type("Protocol", (GuardedProtocol,), {"house": house}),
        ws="none",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(int(settings.stop_timeout_s), 1),
    )
    return config, house


def serve(desk: Desk, sources: Mapping[str, Source], *, host: str = "0.0.0.0") -> None:
    """Load, check, answer until told to stop. Raises FonderieError when a version must not be served."""
    started = time.perf_counter()
    config, house = configure(desk, sources, host=host)
    _announce(desk, time.perf_counter() - started)
    try:
        DrainingServer(config, desk, house).run()
    except SystemExit:
        port = desk.settings.http_port
        raise StepFailedError(
            f"port {port} is in use", hint="choose another port, or stop what listens on it"
        ) from None
    desk.journal.write("NOTICE", "stopped")


def _announce(desk: Desk, seconds: float) -> None:
    for name in desk.hosting.models:
        arms = desk.hosting.arms(name)
        assert arms is not None  # it was named by hosting
        parity = arms.champion.parity
        desk.journal.write(
            "NOTICE", "loaded", model=name, version=arms.champion.version, engine=parity.engine, probes=parity.probes,
            port=desk.settings.http_port, seconds=round(seconds, 3),
        )  # fmt: skip
