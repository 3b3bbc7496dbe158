"""The server: one port for every API, in a thread; what was asked is kept for the tests to look at."""

from __future__ import annotations

import email
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.google.bigquery import BigQuery
from tests.google.discovery import Call, RejectedError, Service
from tests.google.endpoints import Endpoints
from tests.google.jobs import Jobs
from tests.google.metadata import Metadata
from tests.google.models import Models
from tests.google.scheduler import Scheduler
from tests.google.storage import Storage

SERVICES = {
    "storage/v1/": Service("storage", "v1"),
    "bigquery/v2/": Service("bigquery", "v2"),
    "/jobs": Service("cloudscheduler", "v1"),
    "/": Service("aiplatform", "v1"),
}
"""By a part of their paths, the first that fits."""


class Google:
    """The APIs and what they hold. `calls` is every request that was taken, `refused` every one that was not."""

    def __init__(self) -> None:
        self.storage = Storage()
        self.bigquery = BigQuery()
        self.models = Models()
        self.jobs = Jobs()
        self.metadata = Metadata()
        self.endpoints = Endpoints()
        self.scheduler = Scheduler()
        self.calls: list[Call] = []
        self.refused: list[str] = []
        self.failures: list[RejectedError] = []  # the next calls fail with these
        self.address = ""

    def start_anew(self) -> None:
        """Forget everything but the address."""
        address = self.address
        self.__init__()  # type: ignore[misc]  # the same object: the server answers through it
        self.address = address

    async def answer(self, request: Request) -> Response:
        """Check one request against the discovery documents and let its API answer."""
        try:
            call, media = self._parse(request, await request.body())
            self.calls.append(call)
            if self.failures:
                raise self.failures.pop(0)
            answered = self._dispatch(call, media)
            if isinstance(answered, dict) and call.answer:
                _service(request).check(call.answer, answered, "answer")
        except RejectedError as error:
            self.refused.append(error.message)
            reasons = [{"reason": error.reason, "message": error.message, "domain": "global"}]
            body = {
                "error": {"code": error.status, "message": error.message, "status": error.reason, "errors": reasons}
            }
            return JSONResponse(body, status_code=error.status)
        if isinstance(answered, bytes):
            return Response(answered, media_type="application/octet-stream")
        return JSONResponse(answered)

    @staticmethod
    def _parse(request: Request, body: bytes) -> tuple[Call, bytes]:
        service = _service(request)
        media = b""
        kind = request.headers.get("content-type", "")
        if kind.startswith("multipart/related"):
            message = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
            head, content = message.get_payload()
            body, media = head.get_payload(decode=True), content.get_payload(decode=True)
        document = json.loads(body) if body else {}
        path = request.scope["raw_path"].decode()  # still encoded: an object's name may hold slashes
        return service.match(request.method, path, dict(request.query_params), document), media

    def _dispatch(self, call: Call, media: bytes) -> dict[str, Any] | bytes:
        if call.method.startswith("bigquery."):
            return self.bigquery.handle(call, media)
        if call.method.startswith("cloudscheduler."):
            return self.scheduler.handle(call)
        if call.method.startswith("storage."):
            return self.storage.handle(call, media)
        if ".models." in call.method:
            return self.models.handle(call)
        if ".endpoints." in call.method:
            return self.endpoints.handle(call)
        if ".metadataStores." in call.method:
            return self.metadata.handle(call)
        if ".pipelineJobs." in call.method:
            return self.jobs.handle(call)
        raise RejectedError(501, "UNIMPLEMENTED", f"the stand-in has no {call.method}")


def _service(request: Request) -> Service:
    return next(service for part, service in SERVICES.items() if part in request.url.path)


@contextmanager
def running() -> Iterator[Google]:
    """A stand-in that listens on a free port of this machine until the block ends."""
    google = Google()
    verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", google.answer, methods=verbs)])
    listener = socket.create_server(("127.0.0.1", 0))
    google.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield google
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        listener.close()
