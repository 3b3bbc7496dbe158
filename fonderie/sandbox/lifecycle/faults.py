"""Faults on demand: transient errors, latency, a crash after so many writes. They are noted in the cloud file."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from fonderie.core.errors import BadInputError
from fonderie.sandbox.cloud.clock import Clock
from fonderie.sandbox.cloud.cloud import Cloud

RETRIED = frozenset({429, 500, 503})
GAPS_S = (0.5, 1, 1.5, 2.5, 4, 6.5, 10.5, 17, 27.5, 44.5)  # the provider gives up after about two minutes
WORDS = {
    400: "Bad Request, badRequest",
    403: "The caller does not have permission, forbidden",
    404: "Not found, notFound",
    409: "The operation was aborted, aborted",
    412: "Precondition failed, conditionNotMet",
    429: "Quota exceeded for quota metric 'Write requests', rateLimitExceeded",
    500: "Internal error encountered., internalError",
    503: "The service is currently unavailable., backendError",
}
_NOTE = "faults"


class FaultSettings(BaseModel):
    """What goes wrong, how often. Rates are per request to Google's API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rates: dict[int, float] = {}
    operations: float = Field(default=0.0, ge=0, le=1, description="share of creates whose operation fails")
    latency_s: float = Field(default=0.0, ge=0, le=600)
    seed: int = 0
    crash_after: int | None = Field(default=None, ge=0)
    time_scale: float = Field(default=0.05, ge=0, le=10, description="of the waits between retries; 1: as at Google")

    @classmethod
    def read(cls, cloud: Cloud) -> FaultSettings:
        """The faults that are noted in a cloud; none by default."""
        noted = cloud.note(_NOTE)
        return cls.model_validate_json(noted) if noted else cls()

    def write(self, cloud: Cloud) -> None:
        """Note them, for every run from now on."""
        cloud.set_note(_NOTE, None if self == FaultSettings() else self.model_dump_json())


def rates_of(written: list[str]) -> dict[int, float]:
    """`["429=0.05", "503=0.02"]` as a table. Raises BadInputError for anything else."""
    rates = {}
    for one in written:
        match = re.fullmatch(r"(\d{3})=(0|1|0?\.\d+|1\.0+|0\.\d+)", one)
        if not match or int(match[1]) not in WORDS:
            known = ", ".join(str(code) for code in sorted(WORDS))
            raise BadInputError(
                f"invalid rate {one!r}", where="--rate", hint=f"write CODE=SHARE, such as 429=0.05; codes: {known}"
            )
        rates[int(match[1])] = float(match[2])
    if sum(rates.values()) > 1:
        raise BadInputError("the rates add up to more than 1", where="--rate")
    return rates


def seconds_of(written: str) -> float:
    """`200ms`, `1.5s` or `2` (seconds). Raises BadInputError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)?", written)
    if not match:
        raise BadInputError(f"invalid duration {written!r}", where="--latency", hint="write 200ms or 1.5s")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


class InjectedError(Exception):
    """An error of Google's that was asked for and is not retried (any more)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"googleapi: Error {code}: {WORDS[code]}")
        self.code = code


@dataclass
class Faults:
    """The faults of one run of the stand-in.

    Whether a request fails depends on the seed, the request and how often it was made, not on the order of threads.
    """

    cloud: Cloud
    clock: Clock
    settings: FaultSettings
    run: int
    _calls: Counter[str] = field(default_factory=Counter)
    _writes: int = 0
    _answering: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, cloud: Cloud, clock: Clock) -> Faults:
        """The faults noted in a cloud, for one run more."""
        return cls(cloud, clock, FaultSettings.read(cloud), cloud.count("run"))

    def call(self, request: str, *, retried: Mapping[int, tuple[float, ...]] | None = None) -> None:
        """One request to Google: takes its time, fails as often as asked, is retried as the provider does.

        `retried` names codes that are retried beyond the usual ones, with their gaps. Raises InjectedError.
        """
        gaps = dict.fromkeys(RETRIED, GAPS_S) | dict(retried or {})
        for attempt in range(len(GAPS_S) + 1):
            if self.settings.latency_s:
                self.clock.sleep(self.settings.latency_s)
            code = self._code(request)
            if code is None:
                return
            if attempt >= len(gaps.get(code, ())):
                raise InjectedError(code)
            self.clock.wait(gaps[code][attempt])

    def operation_fails(self, request: str) -> bool:
        """Whether the operation that a create has started comes to a bad end."""
        return bool(self.settings.operations) and self._drawn(f"operation {request}") < self.settings.operations

    def write(self) -> None:
        """Before a write: the process dies here when as many as asked have been made."""
        if self.settings.crash_after is None:
            return
        with self._lock:
            self._writes += 1
            if self._writes > self.settings.crash_after:
                self._crash()

    def _crash(self) -> None:
        self.settings.model_copy(update={"crash_after": None}).write(self.cloud)
        self.clock.sleep(0.3)  # what was made before has been answered by then, as the test of a crash wants
        os.kill(os.getpid(), signal.SIGKILL)

    def _code(self, request: str) -> int | None:
        if not self.settings.rates:
            return None
        drawn = self._drawn(request)
        for code, rate in sorted(self.settings.rates.items()):
            if drawn < rate:
                return code
            drawn -= rate
        return None

    def _drawn(self, request: str) -> float:
        with self._lock:
            self._calls[request] += 1
            count = self._calls[request]
        text = f"{self.settings.seed}/{self.run}/{request}/{count}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
