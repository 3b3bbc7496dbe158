"""uvicorn's HTTP protocol with what it lacks against slow clients and floods: a deadline for headers, a limit."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from prometheus_client import Counter
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

FULL = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"


class ConnectionLimiter:
    """The open connections of a process, oldest first, and how many there may be."""

    def __init__(self, *, capacity: int, header_timeout_s: float, refused: Counter) -> None:
        """`refused` counts connections that were refused or closed."""
        self.capacity = capacity
        self.header_timeout_s = header_timeout_s
        self.connections: dict[GuardedProtocol, None] = {}
        self.refused = refused

    def admit(self, connection: GuardedProtocol) -> bool:
        """Make room by closing the connection that has been idle longest; refuse when all are at work."""
        if len(self.connections) >= self.capacity:
            self.refused.inc()
            idle = next((known for known in self.connections if known.idle), None)
            if idle is None:
                return False
            idle.leave()
        self.connections[connection] = None
        return True


class GuardedProtocol(HttpToolsProtocol):
    """Closes a connection whose request's headers do not come in time."""

    limiter: ClassVar[ConnectionLimiter]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """No request is being answered (one may be dripping in)."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Called by the event loop."""
        super().connection_made(transport)
        if not self.limiter.admit(self):
            transport.write(FULL)
            transport.close()
            return
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self.limiter.connections.pop(self, None)
        self._stop_waiting()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Called by the parser at a request's first byte."""
        super().on_message_begin()
        if self._deadline is None:
            self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """Called by the parser when the headers are whole."""
        self._stop_waiting()
        super().on_headers_complete()

    def leave(self) -> None:
        """Close without an answer: the request is incomplete."""
        self.limiter.connections.pop(self, None)
        self._stop_waiting()
        self.transport.close()

    def _wait_for_headers(self) -> None:
        self._deadline = self.loop.call_later(self.limiter.header_timeout_s, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self.limiter.refused.inc()
        self._deadline = None
        self.leave()
