"""What was seen, decided and trained, as a folder of small files: the memory of a loop that itself has none.

    verdicts/2013-04-v001.json      one a month and champion; monitoring the month again replaces it
    decisions/2013-04-1f9a….json    every decision that was made; the same one twice is one file
    trainings/2013-04.json          one a month: a month is trained on once

Each file is whole or absent, so a loop that is killed at any point can be started again. The folder is one of this
machine or, for runs elsewhere, of a bucket (`ml.locations.RECORDS`): what a task leaves on its disk is gone with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from fonderie.core.errors import BadDataError, BadInputError, ConflictError
from fonderie.core.files import write_text
from fonderie.core.home import home
from ml.locations import RECORDS
from ml.monitoring.trigger import TrainingEvent, TrainingOutcome, TriggerDecision
from ml.monitoring.verdict import MonthVerdict
from ml.records import Kind, Record, parse_record


class RecordFolder(Protocol):
    """Where records are: small files by kind (`verdicts`) and name."""

    def names(self, kind: str) -> list[str]:
        """Of every record of that kind, sorted."""

    def read(self, kind: str, name: str) -> bytes:
        """The record's text. Raises OSError, or a FonderieError of the place."""

    def write(self, kind: str, name: str, text: str) -> None:
        """Write the record whole, over one of that name."""

    def place(self, kind: str, name: str) -> str:
        """Where it is, for a person."""


@dataclass(frozen=True)
class LocalRecords:
    """Records in a folder of this machine, made on the first write."""

    folder: Path

    def names(self, kind: str) -> list[str]:
        """Of every record of that kind, sorted."""
        return sorted(path.name for path in (self.folder / kind).glob("[!.]*.json"))

    def read(self, kind: str, name: str) -> bytes:
        """The record's text. Raises OSError."""
        return (self.folder / kind / name).read_bytes()

    def write(self, kind: str, name: str, text: str) -> None:
        """Write the record whole, over one of that name."""
        write_text(self.folder / kind / name, text)

    def place(self, kind: str, name: str) -> str:
        """The file's path."""
        return str(self.folder / kind / name)


class History:
    """The records of one model's loop."""

    def __init__(self, records: Path | RecordFolder) -> None:
        """`records`: a folder, or what has its methods."""
        self._records = LocalRecords(records) if isinstance(records, Path) else records

    @classmethod
    def of(cls, model: str, location: str = "") -> History:
        """The history of `model` at `location`, a folder or `gs://BUCKET/FOLDER`, or under `.fonderie`."""
        if opener := RECORDS.opener(location):
            return cls(opener(f"{location}/{model}"))
        return cls((Path(location) if location else home() / "monitoring") / model)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the loop of this machine. Raises ConflictError while another one runs, BadInputError for a bucket.

        A training that is still `started` was cut short, since no other process holds the loop: it counts as failed.
        """
        if not isinstance(self._records, LocalRecords):
            place = self._records.place("", "")
            raise BadInputError("a loop of this machine keeps its history here", where=place, hint="name a folder")
        folder = self._records.folder
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / ".lock", timeout=0):
                for event in self.trainings():
                    if event.outcome is TrainingOutcome.STARTED:
                        self.record_training(event.model_copy(update={"outcome": TrainingOutcome.FAILED}))
                yield
        except Timeout as error:
            raise ConflictError("another loop is running here", where=folder, hint="wait for it to end") from error

    def verdicts(self, version: int | None = None) -> list[MonthVerdict]:
        """Verdicts by month, of one champion or of all. Raises BadDataError for a damaged record."""
        found = self._all("verdicts", MonthVerdict)
        return [each for each in found if version is None or each.version == version]

    def trainings(self) -> list[TrainingEvent]:
        """Every triggered training, by month. Raises BadDataError for a damaged record."""
        return self._all("trainings", TrainingEvent)

    def decisions(self) -> list[TriggerDecision]:
        """Every decision, by month. Raises BadDataError for a damaged record."""
        return self._all("decisions", TriggerDecision)

    def record_verdict(self, verdict: MonthVerdict) -> str:
        """Write the verdict of a month and a version; where it is."""
        return self._write("verdicts", f"{verdict.month}-v{verdict.version:03d}", verdict)

    def record_training(self, event: TrainingEvent) -> str:
        """Write the training of a month, replacing an earlier outcome; where it is."""
        return self._write("trainings", event.month, event)

    def record_decision(self, decision: TriggerDecision) -> str:
        """Write the decision under a hash of its content; where it is."""
        content = hashlib.sha256(decision.model_dump_json(exclude={"format_version"}).encode()).hexdigest()[:12]
        return self._write("decisions", f"{decision.month or 'none'}-{content}", decision)

    def _write(self, kind: str, name: str, record: Record) -> str:
        self._records.write(kind, f"{name}.json", record.model_dump_json(indent=1) + "\n")
        return self._records.place(kind, f"{name}.json")

    def _all(self, kind: str, model: type[Kind]) -> list[Kind]:
        return [
            _parsed(partial(self._records.read, kind, name), model, self._records.place(kind, name))
            for name in self._records.names(kind)
        ]


def read_record(path: Path, kind: type[Kind]) -> Kind:
    """A record from its file. Raises BadDataError."""
    return _parsed(path.read_bytes, kind, str(path))


def _parsed(read: Callable[[], bytes], kind: type[Kind], where: str) -> Kind:
    what, hint = f"not a record of {kind.__name__}", "delete the file and run the month again"
    try:
        return parse_record(kind, read(), what=what, where=where, hint=hint)
    except OSError as error:
        raise BadDataError(what, where=where, hint=hint) from error
