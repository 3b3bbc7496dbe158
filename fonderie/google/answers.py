"""How long Google may take, which answers are worth asking again, and what a refusal means to a person.

Imports nothing but the standard library: a serving container has neither `google.auth` nor `requests`.

Source: AIP-193 "Errors" (google.rpc.Status, google.rpc.ErrorInfo); BigQuery and Cloud Storage, "Error messages".
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fonderie.core.errors import BadInputError, ConflictError, FonderieError, RefusedError, StepFailedError

TIMEOUT_S = 30
TRANSIENT = frozenset({429, 500, 502, 503, 504})
FACTS = ("service", "permission", "resource", "quota_metric")
"""What google.rpc.ErrorInfo tells beside the message."""


def loopback_token(address: str) -> str:
    """The token in GOOGLE_OAUTH_ACCESS_TOKEN (Terraform's name for it), for a stand-in on this machine; else none.

    Plain http stays on this machine; to any other address it would be an open line.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    try:
        local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    return os.environ.get("GOOGLE_OAUTH_ACCESS_TOKEN", "") if local and parts.scheme == "http" else ""


class NotFoundError(BadInputError):
    """Google has no such thing (404)."""


class NoCredentialsError(RefusedError):
    """Neither a file, nor a log-in, nor the machine gives credentials."""


class PermissionDeniedError(RefusedError):
    """The identity lacks a permission (403)."""


@dataclass(frozen=True)
class Refusal:
    """An answer with an error. `reason` is ErrorInfo's, or BigQuery's and Cloud Storage's own; empty without one."""

    status: int
    message: str
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, status: int, body: bytes) -> Refusal:
        """From an answer's body: JSON as Google writes it, or any text."""
        try:
            error = json.loads(body)["error"]
            details = [each for each in error.get("details", []) if each.get("@type", "").endswith(".ErrorInfo")]
            info = (details or error.get("errors") or [{}])[0]
            return cls(status, str(error["message"]), str(info.get("reason", "")), info.get("metadata", {}))
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(status, body.decode(errors="replace")[:300] or "no reason given")

    @property
    def what(self) -> str:
        """The message, with the service, permission, resource and quota that it does not name itself."""
        message = re.sub(r"^[A-Z]+ https?://\S+: ", "", self.message)
        unnamed = [name for name in FACTS if self.facts.get(name) and self.facts[name] not in message]
        told = ", ".join(f"{name.replace('_', ' ')} {self.facts[name]}" for name in unnamed)
        return f"{self.status} {message}" + (f" ({told})" if told else "")

    def error(self, where: str | Path) -> FonderieError:
        """The error to raise, with what a person can do about it."""
        what = self.what
        match self.status:
            case 400:
                return BadInputError(what, where=where)
            case 401:
                return RefusedError(what, where=where, hint="log in again: the credentials have expired")
            case 403 if self.reason == "SERVICE_DISABLED" or "SERVICE_DISABLED" in what or "has not been used" in what:
                api = self.facts.get("service", "the API")
                return RefusedError(what, where=where, hint=f"enable {api}: deploy the foundation stack")
            case 403 if self.reason in {"quotaExceeded", "rateLimitExceeded"}:
                return RefusedError(what, where=where, hint="a quota is used up: wait, or ask for more")
            case 403:
                hint = "this identity lacks a role: `fonderie doctor` names it"
                return PermissionDeniedError(what, where=where, hint=hint)
            case 404:
                hint = "is the project right, and are the stacks deployed?"
                return NotFoundError(what, where=where, hint=hint)
            case 409 | 412:
                return ConflictError(what, where=where, hint="somebody else was first: look, then run it again")
            case 429:
                return RefusedError(what, where=where, hint="a quota is used up: wait, or ask for more")
            case _:
                return StepFailedError(what, where=where, hint="run it again")
