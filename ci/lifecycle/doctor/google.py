"""Read-only looks at Google's REST APIs, with the credentials of the environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

TIMEOUT_S = 20


class Session(Protocol):
    """What is used of `google.auth.transport.requests.AuthorizedSession`."""

    def get(self, url: str, *, timeout: float) -> Any:
        """A GET."""

    def post(self, url: str, *, json: dict[str, Any], timeout: float) -> Any:
        """A POST; only for methods that read."""


class UnseenError(Exception):
    """Google did not let us look; the text says why."""


class AbsentError(Exception):
    """Raised when Google answers 404: the object does not exist."""


@dataclass(frozen=True)
class Look:
    """Looks with a session. `endpoint/API` replaces every API's host: a private gateway, or a stand-in."""

    session: Session
    endpoint: str | None = None

    def get(self, host: str, path: str) -> dict[str, Any]:
        """The document at `https://HOST.googleapis.com/PATH`. Raises AbsentError, UnseenError."""
        return self._read(lambda url: self.session.get(url, timeout=TIMEOUT_S), host, path)

    def ask(self, host: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of a reading method that wants a POST. Raises AbsentError, UnseenError."""
        return self._read(lambda url: self.session.post(url, json=body, timeout=TIMEOUT_S), host, path)

    def _read(self, call: Any, host: str, path: str) -> dict[str, Any]:
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException

        root = f"{self.endpoint}/{host}" if self.endpoint else f"https://{host}.googleapis.com"
        try:
            answer = call(f"{root}/{path}")
        except (RequestException, GoogleAuthError) as error:
            raise UnseenError(f"{type(error).__name__}: {str(error)[:160]}") from error
        if answer.status_code == 404:
            raise AbsentError(path)
        if answer.status_code >= 400:
            raise UnseenError(f"{answer.status_code} {_message(answer)}")
        document: dict[str, Any] = answer.json()
        return document


def _message(answer: Any) -> str:
    try:
        return str(answer.json()["error"]["message"])[:200]
    except (ValueError, KeyError, TypeError):
        return str(answer.text)[:200]
