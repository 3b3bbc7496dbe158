"""Enough of Cloud Storage for Terraform's state: list, read, write with a generation's precondition, delete."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

NAMED = re.compile(r"/b/([^/]+)/o(?:/(.+))?$")


class Storage:
    """Objects: (bucket, name) -> (generation, content), in the buckets that `exists` knows of."""

    def __init__(self, exists: Callable[[str], bool]) -> None:
        self.exists = exists
        self.objects: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.generation = 0
        self.url = ""

    def write(self, bucket: str, name: str, content: bytes, wanted: str | None) -> dict[str, Any] | None:
        """The object's resource; None when it is not of the generation that was wanted."""
        if wanted is not None and int(wanted) != self.objects.get((bucket, name), (0, b""))[0]:
            return None
        self.generation += 1
        self.objects[bucket, name] = (self.generation, content)
        return self.describe(bucket, name)

    def describe(self, bucket: str, name: str) -> dict[str, Any]:
        generation, content = self.objects[bucket, name]
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "generation": str(generation),
            "metageneration": "1",
            "size": str(len(content)),
        }


@contextmanager
def serving(exists: Callable[[str], bool]) -> Iterator[Storage]:
    """A storage that answers at its `url`."""
    storage = Storage(exists)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Handler,), {"storage": storage}))
    storage.url = f"http://127.0.0.1:{server.server_port}/storage/v1/"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield storage
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    storage: Storage
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        bucket, name, query = self._named()
        if not self.storage.exists(bucket):
            self._answer(404, {"error": {"code": 404, "message": "The specified bucket does not exist."}})
        elif not name:
            found = [
                key for key in self.storage.objects if key[0] == bucket and key[1].startswith(query.get("prefix", ""))
            ]
            self._answer(200, {"kind": "storage#objects", "items": [self.storage.describe(*key) for key in found]})
        elif (bucket, name) not in self.storage.objects:
            self._answer(404, {"error": {"code": 404, "message": "No such object"}})
        elif query.get("alt") == "json":
            self._answer(200, self.storage.describe(bucket, name))
        else:
            self._answer(200, self.storage.objects[bucket, name][1])

    def do_POST(self) -> None:
        bucket, _, query = self._named()
        body = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + self._body()
        about, content = message_from_bytes(body).get_payload()
        made = self.storage.write(
            bucket,
            json.loads(about.get_payload(decode=True))["name"],
            content.get_payload(decode=True),
            query.get("ifGenerationMatch"),
        )
        self._answer(200, made) if made else self._answer(412, {"error": {"code": 412, "message": "precondition"}})

    def do_DELETE(self) -> None:
        bucket, name, _ = self._named()
        self._answer(204 if self.storage.objects.pop((bucket, name), None) else 404, b"")

    def _named(self) -> tuple[str, str, dict[str, str]]:
        address = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(address.query).items()}
        if match := NAMED.search(address.path):
            return match[1], unquote(match[2] or ""), query
        bucket, _, name = unquote(address.path).strip("/").partition("/")  # media is read as /BUCKET/OBJECT
        return bucket, name, query

    def _body(self) -> bytes:
        if (length := self.headers.get("Content-Length")) is not None:
            return self.rfile.read(int(length))
        parts = b""
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return parts

    def _answer(self, code: int, body: Any) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Goog-Generation", str(self.storage.generation))
        self.end_headers()
        self.wfile.write(content)
