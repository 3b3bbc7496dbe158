"""What no fact can say is a rule in code: who calls it, for which types, and where it is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.rules import service_modules


class LifecycleEvent(StrEnum):
    """When a rule is called. Before: it may refuse by raising ApiError. After: it may change the cloud."""

    CREATE = "before a create"
    CREATED = "after a create"
    UPDATE = "before an update"
    UPDATED = "after an update"
    READ = "at a read"
    DELETE = "before a deletion"
    DELETED = "after a deletion"


@dataclass(frozen=True)
class ServiceRule:
    """One rule; its name and words are those of the function."""

    name: str
    service: str
    event: LifecycleEvent
    types: tuple[str, ...]  # "*": every type
    source: str
    words: str
    call: Callable[[ObjectRequest], None]


_RULES: list[ServiceRule] = []
Function = Callable[[ObjectRequest], None]


def rule(event: LifecycleEvent, *types: str, source: str) -> Callable[[Function], Function]:
    """Register a function as a rule for these types."""

    def register(function: Function) -> Function:
        service = function.__module__.rsplit(".", 1)[-1]
        words = (function.__doc__ or "").strip().split("\n")[0]
        _RULES.append(ServiceRule(function.__name__, service, event, types, source, words, function))
        return function

    return register


@cache
def all_rules() -> tuple[ServiceRule, ...]:
    """Every rule of `fonderie/sandbox/rules/`, by service."""
    service_modules()
    return tuple(sorted(_RULES, key=lambda one: (one.service, one.name)))


@cache
def rules_for(event: LifecycleEvent, type: str) -> tuple[ServiceRule, ...]:
    """The rules of a type at an event."""
    return tuple(one for one in all_rules() if one.event is event and (type in one.types or "*" in one.types))


def obey(event: LifecycleEvent, request: ObjectRequest) -> None:
    """Call the rules of an event. Raises ApiError when one of them says no."""
    for one in rules_for(event, request.type):
        one.call(request)


def table() -> str:
    """All rules as a table in Markdown; `docs/fresh-project.md` holds it."""
    lines = ["| service | rule | source |", "|---|---|---|"]
    for one in all_rules():
        source = (
            f"[{one.source.split('//', 1)[1].split('/', 1)[0]}]({one.source})" if "://" in one.source else one.source
        )
        lines.append(f"| {one.service} | {one.words} | {source} |")
    return "\n".join(lines)
