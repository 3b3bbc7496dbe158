"""What an apply leaves for the next one: a lock while it runs, and the reviewed plan until all of it is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
from pydantic import ValidationError

from ci.preview.fingerprint import PlanRecord, hash_of
from ci.preview.report import Frozen
from fonderie.core.errors import ConflictError
from fonderie.core.files import write_text
from fonderie.core.home import home
from fonderie.terraform.plan import StackPlan


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


class Begun(Frozen):
    """A reviewed plan that is being applied, and the keys its values were hashed with (the states' lineages then)."""

    record: PlanRecord
    salts: dict[str, str]


def begin(record: PlanRecord, plans: Iterable[StackPlan]) -> Begun:
    """Remember the reviewed plan until `finish`: digests only."""
    begun = Begun(record=record, salts={plan.stack: plan.salt for plan in plans})
    write_text(_path(record.environment), begun.model_dump_json())
    return begun


def finish(environment: str) -> None:
    """Everything of the reviewed plan is done."""
    _path(environment).unlink(missing_ok=True)


def unfinished(environment: str, identity: str) -> Begun | None:
    """The reviewed plan that an apply began and did not finish, when it is the one named and unchanged."""
    try:
        begun = Begun.model_validate_json(_path(environment).read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    found = begun.record
    same = found.environment == environment and found.hash == identity == hash_of(environment, found.changes)
    return begun if same else None
