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
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fonderie.core.errors import StepFailedError
from ml.serving.server.connections import ConnectionLimiter, GuardedProtocol
from ml.serving.server.predict import AppState, PredictRoute
from ml.serving.server.prediction_log import PredictionLog, open_sink
from ml.serving.server.settings import ServerSettings
from ml.serving.server.structured_log import StructuredLogHandler
from ml.serving.server.version_sources import RegistrySource, VersionSource, load_all, watch

KEEP_ALIVE_S = 620  # longer than Google's load balancers keep theirs: they must be the ones to close


def build_app(state: AppState, sources: Mapping[str, VersionSource]) -> Starlette:
    """The ASGI application; it follows the champions of its sources while it runs."""
    predict, status = PredictRoute(state), StatusRoutes(state)
    routes = [
        Route(state.settings.predict_route, predict, methods=["POST"]),
        Route("/models/{model}/predict", predict, methods=["POST"]),
        Route(state.settings.health_route, status.ready),
        Route("/live", status.live),
        Route("/metrics", status.metrics),
        Route("/models", status.models),
    ]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        every_s = state.settings.reload_every_s
        tasks = [asyncio.create_task(watch(state, sources, every_s=every_s))]
        registries = {name: source for name, source in sources.items() if isinstance(source, RegistrySource)}
        if registries:
            from ml.serving.canary.follower import CanaryFollower

            tasks.append(asyncio.create_task(CanaryFollower(state, registries).watch(every_s)))
        yield
        for task in tasks:
            task.cancel()
        if state.prediction_log is not None:
            await asyncio.to_thread(state.prediction_log.close)

    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: http_error})


class StatusRoutes:
    """Everything the server tells besides predictions: ready, alive, metrics, models."""

    def __init__(self, state: AppState) -> None:
        self._state = state

    async def ready(self, _: Request) -> Response:
        """200 while requests should come here; 503 before the first model and from the moment it drains."""
        ready = self._state.hosting.ready
        body = {"status": "ready" if ready else "not ready", "models": list(self._state.hosting.models)}
        return JSONResponse(body, status_code=200 if ready else 503)

    async def live(self, _: Request) -> Response:
        """200 while the process answers at all: restart it when this fails, not when it is not ready."""
        return JSONResponse({"status": "alive"})

    async def metrics(self, _: Request) -> Response:
        """Prometheus' text."""
        return Response(self._state.metrics.text(), media_type="text/plain; version=0.0.4")

    async def models(self, _: Request) -> Response:
        """Which versions answer, with the schema a client must satisfy."""
        return JSONResponse({"models": [self._model(name) for name in self._state.hosting.models]})

    def _model(self, name: str) -> dict[str, object]:
        split = self._state.hosting.split(name)
        assert split is not None  # models come and never go
        return {
            "model": name,
            "champion": split.champion.version,
            "challenger": split.challenger.version if split.challenger else None,
            "challenger_percent": split.percent,
            "engine": split.champion.parity.engine,
            "features": {
                field.name: list(field.categories) or "number or null" for field in split.champion.schema.fields
            },
        }


async def http_error(_: Request, error: Exception) -> Response:
    """404 and 405 in the words of the other errors."""
    assert isinstance(error, HTTPException)  # Starlette calls it for nothing else
    body = {"error": {"code": error.status_code, "message": error.detail, "path": "$"}}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


def open_state(settings: ServerSettings) -> AppState:
    """The state of a process, with its prediction log if the settings name one."""
    state = AppState(settings)
    if settings.log_sink:
        state.prediction_log = PredictionLog(
            open_sink(settings.log_sink),
            count=state.metrics.logged,
            on_failure=lambda words: state.log.request("ERROR", words),
        )
    return state


class DrainingServer(uvicorn.Server):
    """On SIGTERM: first not ready, for `drain_s` still answering, then no new connection, then the last answers."""

    def __init__(self, config: uvicorn.Config, state: AppState) -> None:
        super().__init__(config)
        self._state = state
        self._until: float | None = None

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        """Called on SIGINT and SIGTERM; the second time it stops at once."""
        if self._until is not None:
            self.should_exit = True
            self.force_exit = sig == signal.SIGINT
            return
        self._state.hosting.draining = True
        self._until = time.monotonic() + self._state.settings.drain_s

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second."""
        if self._until is not None and time.monotonic() >= self._until:
            self.should_exit = True
        return await super().on_tick(counter)


def configure(state: AppState, sources: Mapping[str, VersionSource], *, host: str) -> uvicorn.Config:
    """Load and check every version, then what uvicorn needs. Raises FonderieError when one must not be served."""
    load_all(state, sources)
    settings = state.settings
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    capacity = max(min(settings.max_connections, files - 64), 1)
    limiter = ConnectionLimiter(
        capacity=capacity,
        header_timeout_s=settings.header_timeout_s,
        refused=state.metrics.refused_connections,
    )
    for library in ("uvicorn", "asyncio"):
        logging.getLogger(library).handlers = [StructuredLogHandler(state.log)]
    return uvicorn.Config(
        build_app(state, sources),
        host=host,
        port=settings.http_port,
        http=type("Protocol", (GuardedProtocol,), {"limiter": limiter}),
        ws="none",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(int(settings.stop_timeout_s), 1),
    )


def serve(state: AppState, sources: Mapping[str, VersionSource], *, host: str = "0.0.0.0") -> None:
    """Load, check, answer until told to stop. Raises FonderieError when a version must not be served."""
    started = time.perf_counter()
    config = configure(state, sources, host=host)
    _announce(state, time.perf_counter() - started)
    try:
        DrainingServer(config, state).run()
    except SystemExit:
        port = state.settings.http_port
        raise StepFailedError(
            f"port {port} is in use", hint="choose another port, or stop what listens on it"
        ) from None
    state.log.write("NOTICE", "stopped")


def _announce(state: AppState, seconds: float) -> None:
    for name in state.hosting.models:
        split = state.hosting.split(name)
        assert split is not None  # it was named by hosting
        parity = split.champion.parity
        state.log.write(
            "NOTICE", "loaded", model=name, version=split.champion.version, engine=parity.engine, probes=parity.probes,
            port=state.settings.http_port, seconds=round(seconds, 3),
        )  # fmt: skip
