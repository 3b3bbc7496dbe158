"""Making takes time: what is being made is there for others only once its making has ended.

Terraform starts everything that waits for nothing at the same moment. At Google a network takes twenty seconds, so what
should have waited for it and does not is refused. The stand-in needs no seconds: all that is being made at one moment
ends together, when nothing new has arrived for a few milliseconds, and what arrived before cannot see it. So a missing
`depends_on` mostly fails here too; what finds it every time is `dependencies.py`, which this stands behind: where the
configuration is not seen (HCL, a Terraform called by its full path), and for the order of deletions.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_QUIET_S = 0.012
_LONGEST_S = 5.0


@dataclass
class RequestEffects:
    """What one request does: the paths it makes, and those it unmakes with the paths that they were using."""

    made: set[str] = field(default_factory=set)
    unmade: dict[str, set[str]] = field(default_factory=dict)


class Settling:
    """What is in the making or in the unmaking, for the requests of one process."""

    def __init__(self, *, quiet_s: float = _QUIET_S, longest_s: float = _LONGEST_S) -> None:
        self._quiet_s = quiet_s
        self._longest_s = longest_s
        self._condition = threading.Condition()
        self._working = 0
        self._last_work = 0.0
        self._wave = 0
        self._unsettled = RequestEffects()

    def being_made(self, path: str) -> bool:
        """Whether an object exists in the file but not yet for others."""
        return path in self._unsettled.made

    def still_using(self, path: str) -> list[str]:
        """Objects that are gone from the file but not yet out of the way of `path`, which they were using."""
        with self._condition:
            return [user for user, used in self._unsettled.unmade.items() if path in used]

    @contextmanager
    def request(self) -> Iterator[RequestEffects]:
        """A request: note in the change what it makes and unmakes; leaving it waits for the end of the wave."""
        change = RequestEffects()
        with self._condition:
            self._working += 1
        try:
            yield change
        finally:
            with self._condition:
                self._unsettled.made |= change.made
                self._unsettled.unmade |= change.unmade
                self._working -= 1
                self._last_work = time.monotonic()
                if change.made or change.unmade:
                    self._until_quiet()

    def _until_quiet(self) -> None:
        wave, end = self._wave, time.monotonic() + self._longest_s
        while self._wave == wave:
            now = time.monotonic()
            if now > end or (not self._working and now >= self._last_work + self._quiet_s):
                self._wave += 1
                self._unsettled = RequestEffects()
                self._condition.notify_all()
            else:
                self._condition.wait(self._quiet_s)
