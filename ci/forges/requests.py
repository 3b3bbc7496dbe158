"""Requests to a forge's REST API: retried when that helps, refused in words when it does not."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from ci.preview.masking.patterns import without_patterns
from fonderie.core.errors import BadInputError, FonderieError, RefusedError, StepFailedError

_TRIES = 5
_MOST_REDIRECTS = 4
_LONGEST_WAIT_S = 90.0
GONE = (404, 410)


class _TryAgainError(Exception):
    """A passing fault."""


@dataclass(frozen=True)
class Api:
    """A REST API. `permission` says what the token must be allowed to do."""

    name: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    permission: str
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time

    def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, allow: tuple[int, ...] = ()
    ) -> httpx.Response:
        """The answer; one with a status in `allow` is the caller's to read, any other failure raises.

        Server errors, broken connections and rate limits are waited for, five times in all.
        """
        retrying = Retrying(
            retry=retry_if_exception_type((_TryAgainError, httpx.TransportError)),
            stop=stop_after_attempt(_TRIES),
            wait=wait_exponential_jitter(initial=0.5, max=8, jitter=0.5),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return retrying(self._once, method, path, body, allow)
        except (_TryAgainError, httpx.TransportError) as error:
            said = without_patterns(str(error)) or type(error).__name__
            raise StepFailedError(f"{self.name} did not answer {_TRIES} times: {said}", where=path) from None

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None, allow: tuple[int, ...]) -> httpx.Response:
        answer = self._asked(method, path if path.startswith("http") else f"{self.url}{path}", body)
        if answer.is_success:
            if answer.content and not _is_json(answer):
                raise StepFailedError(f"{self.name} answered with something else than JSON", where=path)
            return answer
        if answer.status_code >= 500:
            raise _TryAgainError(f"status {answer.status_code}")
        if (wait := self._limited(answer)) is not None:
            self._wait(wait)
            raise _TryAgainError("its rate limit")
        if answer.status_code in allow:
            return answer
        raise self._refused(answer, path)

    def _asked(self, method: str, url: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """The answer, behind redirects of the same host: httpx would take our token to another."""
        for _ in range(_MOST_REDIRECTS):
            answer = httpx.request(method, url, json=body, headers=dict(self.headers), timeout=20.0)
            if not answer.has_redirect_location:
                return answer
            moved = httpx.URL(url).join(answer.headers["location"])
            if (moved.scheme, moved.host, moved.port) != (answer.url.scheme, answer.url.host, answer.url.port):
                raise RefusedError(f"{self.name} sends us to another host, {moved.host}: not with our token")
            url = str(moved)
        raise StepFailedError(f"{self.name} redirects without end", where=url)

    def _limited(self, answer: httpx.Response) -> float | None:
        """Seconds until a rate limit lets us in again; None when it is not that."""
        headers = answer.headers
        if answer.status_code not in (403, 429):
            return None
        if headers.get("retry-after", "").isdigit():
            return float(headers["retry-after"])
        remaining = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining"))
        reset = headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", ""))
        if remaining == "0":
            return max(0.0, float(reset) - self.now()) if reset.isdigit() else 1.0
        if "secondary rate limit" in _message(answer):  # without a header: "wait at least one minute"
            return 60.0
        return 1.0 if answer.status_code == 429 else None

    def _wait(self, seconds: float) -> None:
        if seconds > _LONGEST_WAIT_S:
            raise StepFailedError(
                f"{self.name}'s rate limit is used up for another {seconds / 60:.0f} minutes",
                hint="run `fonderie preview --post` again then",
            )
        self.sleep(seconds)

    def _refused(self, answer: httpx.Response, path: str) -> FonderieError:
        said = without_patterns(_message(answer))
        match answer.status_code:
            case 401:
                return RefusedError(
                    f"{self.name} does not accept the token: it has expired, was revoked or is another's ({said})",
                    hint="renew it; in a workflow, use the token of the job",
                )
            case 403:
                return RefusedError(
                    f"the token may not do that: {said}", where=path, hint=f"it needs {self.permission}"
                )
            case 404 | 410:
                return BadInputError(
                    f"{self.name} did not find this change, or the token may not see it",
                    where=path,
                    hint=self.permission,
                )
            case status:
                return BadInputError(f"{self.name} answered {status}: {said}", where=path)


def _message(answer: httpx.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return answer.reason_phrase
    found = body.get("message") or body.get("error") if isinstance(body, dict) else None
    more = body.get("errors") if isinstance(body, dict) else None
    return str(found or answer.reason_phrase)[:300] + (f": {json.dumps(more)[:300]}" if more else "")


def _is_json(answer: httpx.Response) -> bool:
    try:
        answer.json()
    except ValueError:
        return False
    return True
