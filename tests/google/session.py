"""Answers to a REST client inside the process: by method id, after every request is checked by discovery documents."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from google.auth.credentials import AnonymousCredentials
from requests.adapters import BaseAdapter

from fonderie.google import Access, RestClient
from fonderie.sandbox.rest.discovery import Call, RejectedError
from fonderie.sandbox.rest.discovery import service as service_of

VERSIONS = {"compute": "v1", "storage": "v1", "bigquery": "v2"}
"""Of APIs whose paths begin with their names."""


@dataclass
class Answers(BaseAdapter):
    """What `by_method` has: a number is a status without a document, a list one answer after the other."""

    by_method: dict[str, Any]
    calls: list[Call] = field(default_factory=list)
    requests: list[requests.PreparedRequest] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        """Ids of the methods that were called."""
        return [call.method for call in self.calls]

    def send(self, request: requests.PreparedRequest, *_: Any, timeout: Any = None, **__: Any) -> requests.Response:
        """See BaseAdapter. A request that Google would not take is answered in its words."""
        assert timeout, "a request without a timeout"
        parts = urlsplit(request.url or "")
        api = str(parts.hostname).removesuffix(".googleapis.com").rpartition("europe-west1-")[2]
        path = str(parts.path).removeprefix("/")
        response = requests.Response()
        response.request, response.url = request, str(request.url)
        self.requests.append(request)
        try:
            service = service_of(api, VERSIONS.get(api) or path.partition("/")[0])
            call = service.match(
                str(request.method), path, dict(parse_qsl(parts.query)), json.loads(request.body or "{}")
            )
            self.calls.append(call)
            answer = self.by_method.get(call.method, 404)
            answer = answer.pop(0) if isinstance(answer, list) else answer
            if isinstance(answer, Exception):
                raise answer
            status, document = answer if isinstance(answer, tuple) else (200, answer)
            if isinstance(document, int):
                status, document = document, {"error": {"message": "no", "status": "x"}}
        except RejectedError as error:
            status, document = error.status, {"error": {"message": error.message}}
        response.status_code, response._content = status, json.dumps(document).encode()
        return response

    def close(self) -> None:
        """See BaseAdapter."""


def client(answers: Answers, *, patience_s: float = 0) -> RestClient:
    """A client of Google itself whose requests go to `answers`."""
    google = RestClient(access(), patience_s=patience_s)
    google.session.mount("https://", answers)
    return google


def access() -> Access:
    """Without credentials, in europe-west1."""
    return Access("acme", "europe-west1", credentials=AnonymousCredentials())
