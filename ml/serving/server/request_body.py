"""Reading a request's body within its limits of size and time."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope

from ml.serving.scoring.encoder import BodyError


class GoneError(Exception):
    """The client left before its request was whole."""


def header(scope: Scope, name: bytes) -> bytes | None:
    """A request header by its lower-case name."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    for key, value in headers:
        if key == name:
            return value
    return None


async def read_body(scope: Scope, receive: Receive, *, max_bytes: int, timeout_s: float) -> bytes:
    """The whole body. Raises BodyError (408: too slow, 413: too large) or GoneError."""
    length = header(scope, b"content-length")
    if length is not None and (not length.isdigit() or int(length) > max_bytes):
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(timeout_s):
            return await _gather(receive, max_bytes)
    except TimeoutError:
        raise BodyError(f"the body did not arrive within {timeout_s:g} s", status=408) from None


async def _gather(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        chunks.append(message["body"])
        size += len(chunks[-1])
        if size > max_bytes:
            raise _too_large(max_bytes)
        if not message["more_body"]:
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(max_bytes: int) -> BodyError:
    return BodyError(f"the body is larger than {max_bytes} bytes", status=413)
