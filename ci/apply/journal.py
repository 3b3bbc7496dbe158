"""What an apply leaves for the next one, beside the states: the reviewed plan until it is done, then what was done.

A runner's disk is gone with the runner; who applies may write the bucket of the states, so the journal is there.
Where the states are on this machine, so is the journal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
from pydantic import ValidationError

from ci.lifecycle.deploy import Stack
from ci.preview.fingerprint import PlanRecord
from ci.preview.review import Review
from fonderie.core.errors import ConflictError, FonderieError
from fonderie.core.files import write_text
from fonderie.core.home import home
from fonderie.google.bucket_records import BucketRecords
from fonderie.terraform.configuration import read_configuration
from fonderie.terraform.references import part

_FOLDER = "fonderie-applies"


@contextmanager
def alone(environment: str) -> Iterator[None]:
    """Hold the environment's lock. Raises ConflictError when another apply on this machine has it.

    Between machines, Terraform's own lock of the state does the same.
    """
    path = home() / "locks" / f"apply-{environment}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise ConflictError(
            f"{environment} is being applied by another process", where=path, hint="wait for it"
        ) from error
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class Journal:
    """The journal of an environment. `bucket`: `gs://BUCKET/FOLDER`, or empty when it is in a folder of ours."""

    environment: str
    bucket: str = ""

    @classmethod
    def beside(cls, environment: str, stacks: Sequence[Stack]) -> Journal:
        """The journal beside the states of an environment's stacks."""
        for stack in stacks:
            if bucket := part(read_configuration(stack.folder), "terraform", "backend", "gcs").get("bucket"):
                return cls(environment, f"gs://{bucket}/{_FOLDER}")
        return cls(environment)

    def begin(self, record: PlanRecord) -> None:
        """Remember the reviewed plan until `finish`: digests only."""
        self._write("begun", record.model_dump_json())

    def finish(self, what: Mapping[str, Any]) -> None:
        """Everything of the reviewed plan is done; `what` says so."""
        self._write("done", json.dumps(what, indent=1))
        self._write("begun", "{}")

    def unfinished(self, review: Review) -> PlanRecord | None:
        """The plan of this review that an apply began and did not finish."""
        try:
            found = PlanRecord.model_validate_json(self.read("begun"))
        except ValidationError:
            return None
        same = found.hash == review.hash or found.actions == review.actions
        return found if found.environment == self.environment and same else None

    def applied(self) -> str:
        """The commit of the protected branch that was applied last; empty when none is known."""
        try:
            return str(json.loads(self.read("done") or "{}").get("commit", ""))
        except (ValueError, AttributeError):
            return ""

    def read(self, kind: str) -> str:
        """What was written last: `begun` or `done`; empty when nothing was."""
        with suppress(OSError, UnicodeDecodeError, FonderieError):
            if self.bucket:
                return BucketRecords(self.bucket).read(kind, f"{self.environment}.json").decode()
            return self._path(kind).read_text(encoding="utf-8")
        return ""

    def _write(self, kind: str, text: str) -> None:
        if self.bucket:
            BucketRecords(self.bucket).write(kind, f"{self.environment}.json", text)
        else:
            write_text(self._path(kind), text)

    def _path(self, kind: str) -> Path:
        return home() / "applies" / kind / f"{self.environment}.json"
