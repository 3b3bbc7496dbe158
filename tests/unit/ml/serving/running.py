"""A real server in a thread, and a client that speaks to it over a real socket."""

from __future__ import annotations

import http.client
import io
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from ml.serving.scoring.compiled_version import Served, load_version
from ml.serving.server.app import DrainingServer, configure, open_state
from ml.serving.server.predict import AppState
from ml.serving.server.settings import ServerSettings
from ml.serving.server.structured_log import StructuredLog
from ml.serving.server.version_sources import VersionSource

PATIENCE_S = 60.0  # with a machine that does much else; nothing here takes a second on a quiet one


class FolderSource:
    """Versions in folders, and a champion the test moves: a registry in miniature."""

    def __init__(self, folders: dict[str, Path], champion: str, *, max_instances: int = 1000) -> None:
        self.folders = folders
        self.at = champion
        self.max_instances = max_instances

    def champion(self) -> str:
        return self.at

    def load(self, version: str, /) -> Served:
        return load_version(self.folders[version], version=version, max_instances=self.max_instances)


class Ticking:
    """A clock that moves by a millisecond whenever it is read: two measurements of equal work are equal."""

    def __init__(self) -> None:
        self._read = itertools.count()

    def __call__(self) -> float:
        return next(self._read) / 1000


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: Any


class Client:
    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def post(self, body: bytes | dict[str, Any], path: str = "/predict", **headers: str) -> Reply:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._ask("POST", path, data, headers)

    def get(self, path: str) -> Reply:
        return self._ask("GET", path, None, {})

    def _ask(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> Reply:
        self._connection.request(method, path, data, {key.replace("_", "-"): value for key, value in headers.items()})
        answer = self._connection.getresponse()
        text = answer.read()
        named = {key.lower(): value for key, value in answer.getheaders()}
        body = json.loads(text) if "json" in named.get("content-type", "") else text.decode()
        return Reply(answer.status, named, body)

    def socket(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)


@dataclass
class Running:
    state: AppState
    client: Client
    stream: io.StringIO
    port: int

    def counted(self, name: str, **labels: str) -> float:
        """The value of a metric; 0 before it was counted."""
        return self.state.metrics.registry.get_sample_value(name, labels) or 0.0

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@contextmanager
def running(
    sources: dict[str, VersionSource], *, clock: Callable[[], float] | None = None, **settings: Any
) -> Iterator[Running]:
    stream = io.StringIO()
    state = open_state(ServerSettings(http_port=0, **{"reload_every_s": 0.05, **settings}))
    state.log = StructuredLog(stream)
    state.clock = clock or state.clock
    config = configure(state, sources, host="127.0.0.1")
    server = DrainingServer(config, state)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    port = _port(server)
    try:
        yield Running(state, Client(port), stream, port)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def _port(server: uvicorn.Server) -> int:
    until(lambda: server.started)
    return int(server.servers[0].sockets[0].getsockname()[1])


def until(condition: Any, *, seconds: float = PATIENCE_S) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)
