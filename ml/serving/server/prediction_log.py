"""The prediction log: what was asked and answered, sampled, for monitoring.

Never in the way of an answer: rows go into a bounded queue, a thread writes them; what does not fit or cannot be
written (a full disk) is counted and let go. Without personal data: the schema's features, the prediction, the version
and a request id that is ours or plainly an id; no address, no header, no other field a client may have sent.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from fonderie.core.files import replacing
from ml.locations import SINKS
from ml.serving.scoring.encoder import Matrix
from ml.serving.scoring.engines import Predictions
from ml.serving.scoring.schema import Schema


@dataclass(frozen=True)
class Answered:
    """One logged request: all its rows."""

    request_id: str
    model: str
    version: str
    role: str
    at: float  # seconds since the epoch
    latency_s: float
    schema: Schema
    matrix: Matrix
    predictions: Predictions


class LogRow(msgspec.Struct, frozen=True):
    """One prediction as the sinks write it; `features` is JSON, so that models share a table."""

    request_id: str
    row: int
    model: str
    version: str
    role: str
    at: datetime
    latency_s: float
    prediction: float
    features: str


class Sink(Protocol):
    """Where rows end up."""

    def write(self, rows: list[LogRow]) -> None:
        """All rows or an OSError."""


def sampled(request_id: str, share: float) -> bool:
    """Is this request in the sample? The same answer in every replica (a hash, no dice)."""
    return zlib.crc32(request_id.encode()) < share * 2**32


class PredictionLog:
    """A queue and the thread that empties it into a sink."""

    def __init__(
        self,
        sink: Sink,
        *,
        count: Callable[[str, int], None],
        on_failure: Callable[[str], None],
        capacity: int = 2000,
        batch: int = 500,
        every_s: float = 2.0,
    ) -> None:
        """`capacity` and `batch` are requests; a batch is written when it is full or `every_s` old.

        `count` is told how many rows were written, failed or dropped.
        """
        self._sink = sink
        self._count = count
        self._on_failure = on_failure
        self._batch = batch
        self._every_s = every_s
        self._queue: queue.Queue[Answered | None] = queue.Queue(capacity)
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)
        self._thread.start()

    def offer(self, answered: Answered) -> None:
        """Take it if there is room; never wait."""
        try:
            self._queue.put_nowait(answered)
        except queue.Full:
            self._count("dropped", len(answered.predictions))

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what is there and stop."""
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _run(self) -> None:
        going = True
        while going:
            taken: list[Answered] = []
            first = self._queue.get()
            while first is not None and len(taken) < self._batch:
                taken.append(first)
                try:
                    first = self._queue.get(timeout=self._every_s)
                except queue.Empty:
                    break
            going = first is not None
            self._write(taken)

    def _write(self, taken: list[Answered]) -> None:
        rows = [row for answered in taken for row in rows_of(answered)]
        if not rows:
            return
        try:
            self._sink.write(rows)
        except OSError as error:
            self._count("failed", len(rows))
            self._on_failure(f"{len(rows)} rows of the prediction log were not written: {error}")
        else:
            self._count("written", len(rows))


def rows_of(answered: Answered) -> list[LogRow]:
    """The rows of one request."""
    from ml.serving.scoring.frames import instances_of

    at = datetime.fromtimestamp(answered.at, UTC)
    return [
        LogRow(
            answered.request_id,
            number,
            answered.model,
            answered.version,
            answered.role,
            at,
            answered.latency_s,
            prediction,
            msgspec.json.encode(instance).decode(),
        )
        for number, (instance, prediction) in enumerate(
            zip(instances_of(answered.schema, answered.matrix), answered.predictions.tolist(), strict=True)
        )
    ]


class ParquetSink:
    """`<folder>/date=2013-04-01/<process>-<number>.parquet`: whole files, one a batch and day."""

    def __init__(self, folder: Path) -> None:
        import pyarrow  # noqa: F401  # now, not under the first requests: it takes a quarter of a second

        self._folder = folder
        self._numbers = itertools.count()

    def write(self, rows: list[LogRow]) -> None:
        """All rows or an OSError."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        days: dict[str, list[LogRow]] = defaultdict(list)
        for row in rows:
            days[row.at.date().isoformat()].append(row)
        for day, of_day in days.items():
            path = self._folder / f"date={day}" / f"{os.getpid()}-{next(self._numbers):06d}.parquet"
            with replacing(path) as draft:
                pq.write_table(pa.Table.from_pylist([msgspec.structs.asdict(row) for row in of_day]), draft)


def open_sink(location: str) -> Sink:
    """A folder, or what `SINKS` opens. Raises BadInputError."""
    if opener := SINKS.opener(location):
        return opener(location)
    return ParquetSink(Path(location))
