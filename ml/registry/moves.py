"""What promotion and rollback do to the aliases: pure, the same for every registry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime

from fonderie.core.errors import BadInputError, ConflictError, RefusedError
from ml.registry.interface import Alias, Aliases, AliasMove


def version_number(model: str, reference: int | str, aliases: Callable[[], Aliases]) -> int:
    """Of a reference: 3, "3", "v003" or an alias. Raises BadInputError."""
    if isinstance(reference, int):
        return reference
    if match := re.fullmatch(r"v?([0-9]+)", reference):
        return int(match[1])
    if reference not in set(Alias):
        raise BadInputError(f"invalid version {reference!r}", hint=f"a number, or {', '.join(Alias)}")
    number = aliases().at(Alias(reference))
    if number is None:
        raise BadInputError(f"{model} has no {reference}", hint=f"fonderie run training {model} --month YYYY-MM")
    return number


def unknown_version(model: str, reference: int | str, labels: Iterable[str]) -> BadInputError:
    """There is no such version; `labels` are those there are."""
    return BadInputError(f"{model} has no version {reference}", hint=f"there are: {', '.join(labels) or 'none'}")


def challenged(aliases: Aliases, version: int, *, who: str, now: datetime) -> Aliases:
    """A new version is the challenger."""
    return _moved(aliases, {Alias.CHALLENGER: version}, reason="registered", who=who, now=now)


def promoted(aliases: Aliases, version: int, expected: int | None, *, reason: str, who: str, now: datetime) -> Aliases:
    """`version` is champion, the champion before it is previous champion, and it is challenger no more."""
    current = aliases.at(Alias.CHAMPION)
    if current != expected:
        raise ConflictError(
            f"the champion is {_label(current)}, not {_label(expected)}",
            where=f"promotion of {_label(version)}",
            hint="run the training again, against the current champion",
        )
    if current == version:
        raise BadInputError(f"{_label(version)} is already the champion")
    targets: dict[Alias, int | None] = {Alias.CHAMPION: version, Alias.PREVIOUS_CHAMPION: current}
    if aliases.at(Alias.CHALLENGER) == version:
        targets[Alias.CHALLENGER] = None
    return _moved(aliases, targets, reason=reason, who=who, now=now)


def rolled_back(
    aliases: Aliases, to: int | None, expected: int | None, *, reason: str, who: str, now: datetime
) -> Aliases:
    """The previous champion, or version `to`, is champion again."""
    current, previous = aliases.at(Alias.CHAMPION), aliases.at(Alias.PREVIOUS_CHAMPION)
    if expected is not None and current != expected:
        raise ConflictError(f"the champion is {_label(current)}, not {_label(expected)}", where="rollback")
    target = previous if to is None else to
    if target is None:
        raise RefusedError(
            "no previous champion to roll back to",
            where="rollback",
            hint="fonderie models list; name a version: --to 2",
        )
    if target == current:
        raise BadInputError(f"{_label(target)} is already the champion", where="rollback")
    targets: dict[Alias, int | None] = {Alias.CHAMPION: target, Alias.PREVIOUS_CHAMPION: current}
    return _moved(aliases, targets, reason=reason, who=who, now=now)


def _moved(aliases: Aliases, targets: dict[Alias, int | None], *, reason: str, who: str, now: datetime) -> Aliases:
    moves = tuple(
        AliasMove(alias=alias, before=aliases.at(alias), after=after, at=now, who=who, reason=reason)
        for alias, after in targets.items()
        if aliases.at(alias) != after
    )
    current = {**aliases.current, **targets}
    return Aliases(
        current={alias: version for alias, version in current.items() if version is not None},
        moves=aliases.moves + moves,
    )


def _label(version: int | None) -> str:
    return "none" if version is None else f"v{version:03d}"
