"""A canary as a file: what `fonderie canary` writes and a server follows, under a lock, replaced in one step.

.fonderie/serving/<model>/canary.json holds the canary with its whole record; the one before it is kept beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from fonderie.core.errors import BadDataError, BadInputError, ConflictError, RefusedError
from fonderie.core.files import write_bytes
from fonderie.core.home import home
from ml.models import Serving
from ml.registry import Alias, Registry
from ml.serving.canary.canary import Canary, Status, abort, start
from ml.serving.canary.margins import Margins

LOCK_TIMEOUT_S = 10


def canary_path(model: str) -> Path:
    """Where the canary of a model is."""
    return home() / "serving" / model / "canary.json"


def margins_of(serving: Serving) -> Margins:
    """The [serving] section as the canary reads it."""
    return Margins(
        errors=serving.max_error_rate_increase,
        latency_ratio=serving.max_latency_ratio,
        disagreement=serving.max_disagreement,
        loss=serving.max_loss_increase,
        steps=tuple(float(step) for step in serving.canary_steps),
        min_requests=serving.min_requests,
    )


def with_steps(margins: Margins, steps: str, min_requests: int | None) -> Margins:
    """Other steps ("5,25,100") and another least number of answers. Raises BadInputError."""
    try:
        wanted = tuple(float(step) for step in steps.split(",")) if steps else margins.steps
    except ValueError:
        raise BadInputError(f"invalid steps {steps!r}", where="--steps", hint="like 5,25,100") from None
    if list(wanted) != sorted(set(wanted)) or not 0 < wanted[0] <= wanted[-1] == 100:
        raise BadInputError(
            f"{steps} must increase, start above 0 and end with 100", where="--steps", hint="like 5,25,100"
        )
    if min_requests is not None and min_requests < 1:
        raise BadInputError(f"{min_requests} must be above 0", where="--min-requests")
    return msgspec.structs.replace(margins, steps=wanted, min_requests=min_requests or margins.min_requests)


def shares_of(words: Sequence[str]) -> dict[str, int]:
    """From "3=95" and "4=5". Raises BadInputError."""
    shares = {}
    for word in words:
        match = re.fullmatch(r"v?0*([1-9][0-9]*)=([0-9]{1,3})", word)
        if match is None:
            raise BadInputError(f"invalid share {word!r}", where="--to", hint="like 4=5")
        shares[match[1]] = int(match[2])
    return shares


def read_canary(model: str) -> Canary | None:
    """The latest canary of a model. Raises BadDataError for a file that is none."""
    path = canary_path(model)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Canary)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadDataError(f"not a canary: {error}", where=path, hint="remove it to start another") from None


def begin(registry: Registry, challenger: int | None, margins: Margins, *, now: datetime) -> Canary:
    """Put a version (the challenger by default) into the shadow of the champion.

    Raises RefusedError while another canary runs, BadInputError without champion or challenger.
    """
    aliases = registry.aliases()
    number = aliases.at(Alias.CHALLENGER) if challenger is None else challenger
    if aliases.champion is None or number is None:
        lacking = "champion" if aliases.champion is None else "challenger"
        raise BadInputError(
            f"{registry.model} has no {lacking}", hint="fonderie models list; name a version: --challenger 2"
        )
    if number == aliases.champion:
        raise BadInputError(f"version {number} is already the champion", hint="fonderie models list")
    registry.get(number)
    with _alone(registry.model):
        running = read_canary(registry.model)
        if running is not None and running.status is Status.RUNNING:
            raise RefusedError(
                f"version {running.challenger} is already in a canary",
                hint=f"fonderie canary abort {registry.model} --reason REASON",
            )
        if running is not None:
            path = canary_path(registry.model)
            write_bytes(path.with_name("canary-before.json"), path.read_bytes())
        canary = start(registry.model, str(aliases.champion), str(number), margins, now=now)
        _write(canary)
    return canary


def change(model: str, step: Callable[[Canary], Canary]) -> Canary | None:
    """Apply a pure function to the canary on disk; None when there is none."""
    with _alone(model):
        before = read_canary(model)
        if before is None:
            return None
        after = step(before)
        if after != before:
            _write(after)
        return after


def stop(model: str, reason: str, *, now: datetime) -> Canary | None:
    """Abort a running canary: the champion answers everything again."""
    return change(model, lambda canary: abort(canary, reason, now=now))


def follow_rollback(model: str, reason: str, *, now: datetime) -> None:
    """Give the traffic to the champion that was rolled back to.

    A local server follows the registry by itself; only a canary still running against the champion of before must end.
    """
    if canary_path(model).exists():
        stop(model, reason, now=now)


def _write(canary: Canary) -> None:
    write_bytes(canary_path(canary.model), msgspec.json.format(msgspec.json.encode(canary)) + b"\n")


@contextmanager
def _alone(model: str) -> Iterator[None]:
    path = canary_path(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_suffix(".lock"), timeout=LOCK_TIMEOUT_S)
    try:
        lock.acquire()
    except Timeout:
        raise ConflictError("the canary is locked by another process", where=path, hint="try again") from None
    try:
        yield
    finally:
        lock.release()
