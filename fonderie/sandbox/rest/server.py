"""The server of the REST APIs: its port is there at once, the libraries that serve it are imported at the first call.

So a command that calls no API but Terraform's pays nothing for it.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fonderie.sandbox.iam.access import AccessControl
from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.iam.tokens import Tokens
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.tools import gcloud_environment

if TYPE_CHECKING:
    from fonderie.sandbox.rest.apis import GoogleApis

_STOP_S = 5
SESSION_S = 24 * 3600.0  # of the token of a command: as long as one may reasonably run


@dataclass(frozen=True)
class RestServer:
    """A server that is up: where it listens, and the tokens that it knows."""

    address: str
    tokens: Tokens

    def environment(self, name: str, *, chosen: bool) -> dict[str, str]:
        """What a command needs to call the APIs as `name`: an identity's short name, or a member.

        Terraform's `gcs` backend reads the token and its endpoint. STORAGE_EMULATOR_HOST is not set: with it Go's
        client sends no token. Who is meant by a short name is decided by the project of each call.
        """
        token = self.tokens.issue(Caller(name, {"chosen": "yes"} if chosen else {}), SESSION_S)
        return {
            "FONDERIE_GOOGLE_ENDPOINT": self.address,
            "GOOGLE_OAUTH_ACCESS_TOKEN": token,
            "GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT": f"{self.address}/storage/v1/",
            **gcloud_environment(self.address, token),
        }


@contextmanager
def serve_rest(world: World, access: AccessControl | None = None) -> Iterator[RestServer]:
    """Serve the APIs over `world` on a free port of this machine until the block ends. Without `access` to anybody."""

    def apis() -> GoogleApis:
        from fonderie.sandbox.rest.apis import GoogleApis

        return GoogleApis(world, access)

    with listen(apis) as address:
        yield RestServer(address, Tokens(world.cloud, lambda: world.clock.now().timestamp()))


@contextmanager
def listen(apis: Callable[[], Any]) -> Iterator[str]:
    """Answer with what `apis` makes once somebody connects; the address."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    wake, woken = socket.socketpair()
    running: list[Any] = []
    ended = threading.Event()

    def serve() -> None:
        ready, _, _ = select.select([listener, woken], [], [])
        if listener in ready and not ended.is_set():
            running.append(_server(apis()))
            if not ended.is_set():
                running[0].run(sockets=[listener])

    thread = threading.Thread(target=serve, name="rest", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        wake.send(b".")
        for server in running:
            server.should_exit = True
        thread.join(timeout=_STOP_S)
        for each in (listener, wake, woken):
            each.close()


def _server(apis: Any) -> Any:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from fonderie.sandbox.rest.http import HttpRequest

    async def answer(request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = request.scope["raw_path"].decode()
        query = request.scope["query_string"].decode()
        asked = HttpRequest(request.method, path, query, headers, await request.body())
        reply = await run_in_threadpool(apis.respond, asked)
        content = b"" if request.method == "HEAD" else reply.content
        return Response(content, reply.status, headers=dict(reply.headers))

    verbs = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
    app = Starlette(routes=[Route("/{path:path}", answer, methods=verbs)])
    config = uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1)
    return uvicorn.Server(config)
