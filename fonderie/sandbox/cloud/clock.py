"""The stand-in's time: real timestamps, and waiting that may be faster than the provider's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

from fonderie.sandbox.lifecycle.interface import ApiError

STOPPED = ContextVar[threading.Event | None]("STOPPED", default=None)  # set when Terraform stops whom we answer


def _utc_now() -> datetime:
    return datetime.now(UTC)


def sleep(seconds: float) -> None:
    """Wait, as long as Terraform does. Raises ApiError once it has stopped."""
    stopped = STOPPED.get()
    if stopped is None:
        time.sleep(seconds)
    elif stopped.wait(seconds):
        raise ApiError.because("context canceled")


@dataclass(frozen=True)
class Clock:
    """`scale` shortens what the provider would wait between retries: 0.05 makes a second fifty milliseconds."""

    scale: float = 0.05
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], None] = sleep

    def wait(self, seconds: float) -> None:
        """Wait as the provider would, scaled."""
        if seconds > 0:
            self.sleep(seconds * self.scale)

    def timestamp(self) -> str:
        """Now, in RFC 3339 as Google's APIs write it."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def milliseconds(self) -> int:
        """Now, in milliseconds since 1970, as BigQuery writes it."""
        return int(self.now().timestamp() * 1000)
