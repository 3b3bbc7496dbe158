"""A local server that answers as GitHub and GitLab document it, with the faults a test asks for."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TOKEN = "ghs_abcdefghijklmnopqrstuvwxyz012345"
ME = "fonderie-bot"


@dataclass
class Server:
    """What it holds. `faults` are answered first, one a request; `before` runs before each request."""

    url: str = ""
    head: str = "a" * 40
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    of: dict[int, str] = field(default_factory=dict)
    merged: list[dict[str, Any]] = field(default_factory=list)
    open: list[tuple[int, str]] = field(default_factory=lambda: [(7, "main")])
    """Number and base of the open pull requests at `head`."""
    pulls: list[dict[str, Any]] = field(default_factory=list)
    faults: deque[Response] = field(default_factory=deque)
    foreign: set[int] = field(default_factory=set)
    before: Callable[[Request], None] = lambda _: None
    requests: list[str] = field(default_factory=list)
    page: int = 100

    def add(self, body: str, login: str = ME, pull: str = "7", **more: Any) -> int:
        """A comment made by somebody on a pull request."""
        number = max(self.comments, default=100) + 1
        self.comments[number] = {
            "id": number,
            "body": body,
            "html_url": f"https://forge/c/{number}",
            "user": {"login": login, "type": "User"},
            "author": {"username": login},
            **more,
        }
        self.of[number] = pull
        return number

    async def answer(self, request: Request) -> Response:
        """One request."""
        self.requests.append(f"{request.method} {request.url.path}")
        self.before(request)
        if self.faults:
            return self.faults.popleft()
        given = request.headers.get("authorization", "").removeprefix("Bearer ") or request.headers.get("private-token")
        if given != TOKEN:
            return JSONResponse({"message": "Bad credentials"}, 401)
        body = await request.json() if request.method in ("POST", "PATCH", "PUT") else {}
        if len(body.get("body", "")) > (1_000_000 if "projects" in request.url.path else 65_536):
            return JSONResponse({"message": "Validation Failed"}, 422)
        return self._route(request, [part for part in request.url.path.split("/") if part], body)

    def _route(self, request: Request, path: list[str], body: dict[str, Any]) -> Response:
        match path:
            case ["repos", "acme", "ml", "pulls", "7"] | ["projects", "5", "merge_requests", "7"]:
                return JSONResponse({"head": {"sha": self.head}, "sha": self.head})
            case ["repos", "acme", "ml", "pulls"]:
                self.pulls.append(body)
                return JSONResponse({"html_url": "https://forge/p/8"}, 201)
            case ["repos", "acme", "ml", "issues", number, "comments"] | [
                "projects", "5", "merge_requests", number, "notes"] if number.isdecimal():  # fmt: skip
                return self._list(request, number) if request.method == "GET" else self._created(body["body"], number)
            case ["repos", "acme", "ml", "issues", "comments", number] | [
                "projects", "5", "merge_requests", "7", "notes", number]:  # fmt: skip
                if request.method == "DELETE":
                    return Response(status_code=204 if self.comments.pop(int(number), None) else 404)
                return self._updated(int(number), body["body"])
            case ["repos", "acme", "ml", "commits", sha, "pulls"]:
                found = [pull | {"state": "closed"} for pull in self.merged if sha in pull["commits"]]
                at_head = {"head": {"sha": self.head}, "state": "open", "merged_at": None}
                if sha == self.head:
                    found += [{"number": number, "base": {"ref": base}, **at_head} for number, base in self.open]
                return JSONResponse(found)
            case ["user"]:
                return JSONResponse({"login": ME, "username": ME})
            case ["repos", "acme", "ml", "statuses", _] | ["projects", "5", "statuses", _]:
                self.statuses.append(body | {"sha": path[-1]})
                return JSONResponse({}, 201)
        return JSONResponse({"message": "Not Found"}, 404)

    def _list(self, request: Request, pull: str) -> Response:
        page = int(request.query_params.get("page", "1"))
        everything = [self.comments[number] for number in sorted(self.comments) if self.of[number] == pull]
        shown = everything[(page - 1) * self.page : page * self.page]
        more = page * self.page < len(everything)
        following = f"{self.url}{request.url.path}?page={page + 1}"
        headers = {"link": f'<{following}>; rel="next"', "x-next-page": str(page + 1)} if more else {}
        return JSONResponse(shown, headers=headers)

    def _created(self, body: str, pull: str) -> Response:
        return JSONResponse(self.comments[self.add(body, pull=pull)], 201)

    def _updated(self, number: int, body: str) -> Response:
        if number not in self.comments:
            return JSONResponse({"message": "Not Found"}, 404)
        if number in self.foreign:
            return JSONResponse({"message": "Resource not accessible by integration"}, 403)
        self.comments[number]["body"] = body
        return JSONResponse(self.comments[number])


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of this machine."""
    state = Server()
    app = Starlette(routes=[Route("/{path:path}", state.answer, methods=["GET", "POST", "PATCH", "PUT", "DELETE"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    state.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.should_exit = True
        thread.join(5)
