"""Structured logs: one JSON object a line on stderr, with the keys Cloud Logging reads.

Source: Google Cloud, "Structured logging" (severity, time, message, httpRequest).
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO

import msgspec


class StructuredLog:
    """Writes lines, at most `per_second` of requests: a flood of bad requests must not become a flood of lines."""

    def __init__(
        self, stream: TextIO | None = None, *, per_second: int = 50, clock: Callable[[], float] = time.time
    ) -> None:
        """`stream` is stderr unless told otherwise."""
        self._stream = stream or sys.stderr
        self._per_second = per_second
        self._clock = clock
        self._second = 0
        self._written = 0
        self._left_out = 0

    def write(self, severity: str, message: str, **fields: object) -> None:
        """A line, always. What cannot be written (a closed pipe, a full disk) is let go."""
        moment = datetime.fromtimestamp(self._clock(), UTC).isoformat()
        line = msgspec.json.encode({"severity": severity, "time": moment, "message": message, **fields}, enc_hook=str)
        try:
            self._stream.write(line.decode() + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    def request(self, severity: str, message: str, **fields: object) -> None:
        """A line about a request, unless this second had its share."""
        second = int(self._clock())
        if second != self._second:
            if self._left_out:
                self.write("WARNING", f"{self._left_out} lines about requests left out", second=self._second)
            self._second, self._written, self._left_out = second, 0, 0
        if self._written >= self._per_second:
            self._left_out += 1
            return
        self._written += 1
        self.write(severity, message, **fields)


class StructuredLogHandler(logging.Handler):
    """Carries the log records of uvicorn and other libraries into the structured log."""

    def __init__(self, log: StructuredLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Called by logging."""
        trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else None
        fields = {"trace": trace} if trace else {}
        self._log.request(record.levelname, record.getMessage(), logger=record.name, **fields)
