"""Everything the server says besides predictions: ready, alive, metrics, models, and errors of HTTP itself."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ml.serving.server.predict import Desk


class Pages:
    """The small routes over one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ready(self, _: Request) -> Response:
        """200 while requests should come here; 503 before the first model and from the moment it drains."""
        ready = self._desk.hosting.ready
        body = {"status": "ready" if ready else "not ready", "models": list(self._desk.hosting.models)}
        return JSONResponse(body, status_code=200 if ready else 503)

    async def live(self, _: Request) -> Response:
        """200 while the process answers at all: restart it when this fails, not when it is not ready."""
        return JSONResponse({"status": "alive"})

    async def metrics(self, _: Request) -> Response:
        """Prometheus' text."""
        return Response(self._desk.metrics.text(), media_type="text/plain; version=0.0.4")

    async def models(self, _: Request) -> Response:
        """Which versions answer, with the schema a client must satisfy."""
        return JSONResponse({"models": [self._model(name) for name in self._desk.hosting.models]})

    def _model(self, name: str) -> dict[str, object]:
        arms = self._desk.hosting.arms(name)
        assert arms is not None  # models come and never go
        return {
            "model": name,
            "champion": arms.champion.version,
            "challenger": arms.challenger.version if arms.challenger else None,
            "challenger_percent": arms.percent,
            "engine": arms.champion.parity.engine,
            "features": {
                field.name: list(field.categories) or "number or null" for field in arms.champion.schema.fields
            },
        }


async def http_error(_: Request, error: Exception) -> Response:
    """404 and 405 in the words of the other errors."""
    assert isinstance(error, HTTPException)  # Starlette calls it for nothing else
    body = {"error": {"code": error.status_code, "message": error.detail, "path": "$"}}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)
