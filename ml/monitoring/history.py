"""What was seen, decided and trained, as a folder of small files: the memory of a loop that itself has none.

    verdicts/2013-04-v001.json      one a month and champion; monitoring the month again replaces it
    decisions/2013-04-1f9a….json    every decision that was made; the same one twice is one file
    trainings/2013-04.json          one a month: a month is trained on once

Each file is whole or absent, so a loop that is killed at any point can be started again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fonderie.core.errors import BadDataError, ConflictError
from fonderie.core.files import write_text
from fonderie.core.home import home
from ml.monitoring.trigger import TrainingEvent, TrainingOutcome, TriggerDecision
from ml.monitoring.verdict import MonthVerdict
from ml.records import Kind, Record, parse_record


class History:
    """The records of one model's loop."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made on the first write."""
        self.folder = folder

    @classmethod
    def of(cls, model: str, location: str = "") -> History:
        """The history of `model` at `location`, a folder, or under `.fonderie`."""
        return cls((Path(location) if location else home() / "monitoring") / model)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the loop. Raises ConflictError while another one runs.

        A training that is still `started` was cut short, since no other process holds the loop: it counts as failed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                for event in self.trainings():
                    if event.outcome is TrainingOutcome.STARTED:
                        self.record_training(event.model_copy(update={"outcome": TrainingOutcome.FAILED}))
                yield
        except Timeout as error:
            raise ConflictError("another loop is running here", where=self.folder, hint="wait for it to end") from error

    def verdicts(self, version: int | None = None) -> list[MonthVerdict]:
        """Verdicts by month, of one champion or of all. Raises BadDataError for a damaged record."""
        found = _read_all(self.folder / "verdicts", MonthVerdict)
        return [each for each in found if version is None or each.version == version]

    def trainings(self) -> list[TrainingEvent]:
        """Every triggered training, by month. Raises BadDataError for a damaged record."""
        return _read_all(self.folder / "trainings", TrainingEvent)

    def decisions(self) -> list[TriggerDecision]:
        """Every decision, by month. Raises BadDataError for a damaged record."""
        return _read_all(self.folder / "decisions", TriggerDecision)

    def record_verdict(self, verdict: MonthVerdict) -> Path:
        """Write the verdict of a month and a version; the path of its file."""
        return _write(self.folder / "verdicts" / f"{verdict.month}-v{verdict.version:03d}.json", verdict)

    def record_training(self, event: TrainingEvent) -> Path:
        """Write the training of a month, replacing an earlier outcome; the path of its file."""
        return _write(self.folder / "trainings" / f"{event.month}.json", event)

    def record_decision(self, decision: TriggerDecision) -> Path:
        """Write the decision under a hash of its content; the path of its file."""
        content = hashlib.sha256(decision.model_dump_json(exclude={"format_version"}).encode()).hexdigest()[:12]
        return _write(self.folder / "decisions" / f"{decision.month or 'none'}-{content}.json", decision)


def _write(path: Path, record: Record) -> Path:
    write_text(path, record.model_dump_json(indent=1) + "\n")
    return path


def read_record(path: Path, kind: type[Kind]) -> Kind:
    """A record from its file. Raises BadDataError."""
    what, hint = f"not a record of {kind.__name__}", "delete the file and run the month again"
    try:
        return parse_record(kind, path.read_bytes(), what=what, where=path, hint=hint)
    except OSError as error:
        raise BadDataError(what, where=path, hint=hint) from error


def _read_all(folder: Path, kind: type[Kind]) -> list[Kind]:
    return [read_record(path, kind) for path in sorted(folder.glob("[!.]*.json"))]
