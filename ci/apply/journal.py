"""What an apply leaves for the next one: a lock while it runs, and the reviewed plan until all of it is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
from pydantic import ValidationError

from ci.preview.fingerprint import PlanRecord
from fonderie.core.errors import ConflictError
from fonderie.core.files import write_text
from fonderie.core.home import home


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


def _path(environment: str) -> Path:
    return home() / "applying" / f"{environment}.json"


def begin(record: PlanRecord) -> None:
    """Remember the reviewed plan until `finish`: digests only."""
    write_text(_path(record.environment), record.model_dump_json())


def finish(environment: str) -> None:
    """Everything of the reviewed plan is done."""
    _path(environment).unlink(missing_ok=True)


def unfinished(environment: str, identity: str) -> PlanRecord | None:
    """The reviewed plan that an apply began and did not finish, when it is the one named and unchanged."""
    try:
        found = PlanRecord.model_validate_json(_path(environment).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    return found if found.environment == environment and found.hash == identity else None
