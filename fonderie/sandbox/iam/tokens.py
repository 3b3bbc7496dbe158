"""Access tokens of the imitated cloud: opaque to who holds them, signed with a secret that the cloud file keeps.

A token of another cloud's is unknown here. So is one whose cloud was reset. Source: OAuth 2.0 access tokens as Google
issues them (an hour), and the key of a federation's identity provider in the place of its published key set.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fonderie.core.errors import RefusedError
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.iam.caller import Caller

LIFETIME_S = 3600
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_PREFIX = "sandbox."
_NOTE = "token-secret"


class TokenError(RefusedError):
    """A token that is unknown here, of another cloud, or `expired`."""

    expired = False


@dataclass(frozen=True)
class Tokens:
    """Issues the tokens of one cloud and knows them again."""

    cloud: Cloud
    now: Callable[[], float] = time.time

    def issue(self, caller: Caller, lifetime_s: float = LIFETIME_S, scope: str = SCOPE) -> str:
        """A token that stands for `caller` until it expires."""
        claims = {"member": caller.member, "attributes": dict(caller.attributes), "scope": scope}
        return _PREFIX + _signed({**claims, "exp": self.now() + lifetime_s}, self._secret())

    def caller_of(self, token: str) -> Caller:
        """Who holds a token. Raises TokenError for one that is unknown, expired or of another cloud."""
        claims = _read(token.removeprefix(_PREFIX), self._secret()) if token.startswith(_PREFIX) else None
        if claims is None:
            raise TokenError("the token was not issued by this cloud", where="Authorization")
        if claims["exp"] <= self.now():
            error = TokenError("the token has expired", where="Authorization", hint="ask for another")
            error.expired = True
            raise error
        return Caller(claims["member"], claims["attributes"])

    def _secret(self) -> bytes:
        return _secret_of(self.cloud, _NOTE)


def identity_token(cloud: Cloud, claims: Mapping[str, Any]) -> str:
    """A token of an identity provider outside, such as a Git host, for workload identity federation (JWT, HS256).

    Its issuer is `iss` of `claims`; the cloud keeps a key for each issuer, in the place of what the issuer publishes.
    """
    head = _encoded({"alg": "HS256", "typ": "JWT"})
    key = _secret_of(cloud, f"issuer:{claims['iss']}")
    return f"{head}.{_signed(claims, key, head)}"


def identity_claims(cloud: Cloud, token: str, issuer: str) -> dict[str, Any] | None:
    """What an identity token of `issuer` says; None when that issuer did not sign it."""
    head, _, signed = token.partition(".")
    claims = _read(signed, _secret_of(cloud, f"issuer:{issuer}"), head)
    return claims if claims and claims.get("iss") == issuer else None


def _secret_of(cloud: Cloud, note: str) -> bytes:
    if (known := cloud.note(note)) is None:
        with cloud.transaction():
            if (known := cloud.note(note)) is None:
                known = secrets.token_hex(32)
                cloud.set_note(note, known)
    return bytes.fromhex(known)


def _signed(claims: Mapping[str, Any], key: bytes, head: str = "") -> str:
    body = _encoded(claims)
    return f"{body}.{_digest(f'{head}.{body}', key)}"


def _read(signed: str, key: bytes, head: str = "") -> dict[str, Any] | None:
    body, _, digest = signed.partition(".")
    if not hmac.compare_digest(digest.encode(), _digest(f"{head}.{body}", key).encode()):
        return None
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims


def _digest(text: str, key: bytes) -> str:
    return _text(hmac.new(key, text.encode(), hashlib.sha256).digest())


def _encoded(claims: Mapping[str, Any]) -> str:
    return _text(json.dumps(claims, separators=(",", ":")).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
