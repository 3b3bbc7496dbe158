"""A request and its reply, apart from any server: the scheduler's calls take the same way in as those of a client."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from fonderie.sandbox.rest.discovery import RejectedError

_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
}


@dataclass(frozen=True)
class HttpRequest:
    """`path` as it was sent, still encoded: an object's name may hold slashes. Header names are in lower case."""

    verb: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def parameters(self) -> dict[str, str]:
        """The query; of a repeated parameter all values, with commas between them."""
        values: dict[str, str] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            values[name] = f"{values[name]},{value}" if name in values else value
        return values

    def parts(self) -> tuple[dict[str, Any], bytes, str]:
        """The document and the media of the body, and the media's type. Raises RejectedError for what is neither."""
        kind = self.headers.get("content-type", "")
        body = self.body
        if self.headers.get("content-encoding") == "gzip" and not self._is_media:
            body = gzip.decompress(body)
        if kind.startswith("multipart/related"):
            (_, document), (head, media) = multipart(kind, body)
            return _document(document), media, head.get("content-type", "")
        if self._is_media:
            return {}, body, kind
        if kind.startswith("application/x-www-form-urlencoded"):
            return dict(parse_qsl(body.decode())), b"", ""
        return _document(body), b"", ""

    @property
    def _is_media(self) -> bool:
        return self.parameters.get("uploadType") == "media"


@dataclass(frozen=True)
class Reply:
    """What goes back."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Any, status: int = 200) -> Reply:
        """A JSON document."""
        return cls(status, json.dumps(document).encode(), {"content-type": "application/json; charset=UTF-8"})


def refusal(error: RejectedError) -> Reply:
    """An error as Google writes it: AIP-193 with google.rpc.ErrorInfo, and the list that older APIs have beside it."""
    known = re.fullmatch(r"[A-Z_]+", error.reason)
    status = error.reason if known and error.facts is None else _STATUS.get(error.status, "UNKNOWN")
    body: dict[str, Any] = {
        "code": error.status,
        "message": error.message,
        "status": status,
        "errors": [{"reason": error.reason, "message": error.message, "domain": "global"}],
    }
    if error.facts is not None:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        info = {"@type": kind, "reason": error.reason, "domain": "googleapis.com", "metadata": dict(error.facts)}
        body["details"] = [info]
    return Reply.of({"error": body}, error.status)


def multipart(kind: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Headers and content of each part of a `multipart/related` body. Raises RejectedError for a broken one."""
    found = re.search(r'boundary="?([^";]+)"?', kind)
    pieces = re.split(rb"\r?\n--" + re.escape(found[1].encode()), b"\r\n" + body) if found else []
    parts = []
    for piece in pieces[1:-1]:
        head, blank, content = piece.lstrip(b"\r\n").partition(b"\r\n\r\n")
        if not blank:
            head, _, content = piece.lstrip(b"\r\n").partition(b"\n\n")
        lines = (line.partition(":") for line in head.decode("latin-1").splitlines())
        parts.append(({name.strip().lower(): value.strip() for name, _, value in lines}, content))
    if len(parts) != 2:
        raise RejectedError(400, "badContent", "Malformed multipart body.")
    return parts


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise RejectedError(400, "parseError", f"Invalid JSON payload received. {error}") from error
    if not isinstance(document, dict):
        raise RejectedError(400, "parseError", "Invalid JSON payload received. Expected an object.")
    return document
