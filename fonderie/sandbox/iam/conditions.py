"""Conditions of bindings, in the Common Expression Language.

What is evaluated: `resource.name`, `resource.type`, `resource.service`, `request.time`, `api.getAttribute(...)` with
`hasOnly`, and whatever CEL itself has. Anything else (tags, `extract`, device attributes) is refused and named.
Source: IAM's "Attribute reference for IAM Conditions" and "Limits on granting roles".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

MODIFIED_GRANTS = "iam.googleapis.com/modifiedGrantsByRole"


class ConditionError(Exception):
    """The condition cannot be evaluated: its text, and why."""


@dataclass(frozen=True)
class RequestContext:
    """What a condition may ask about."""

    resource: str  # canonical path
    service: str = ""
    type: str = ""
    time: datetime | None = None
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)  # api.getAttribute


def holds(expression: str, context: RequestContext) -> bool:
    """Whether a condition holds. Raises ConditionError for one that cannot be evaluated."""
    import cel  # 0.7 s: only where a binding has a condition

    def attribute(_api: Any, name: str, default: Any) -> Any:
        return list(context.attributes.get(name, default))

    def has_only(values: Sequence[Any], allowed: Sequence[Any]) -> bool:
        return set(values) <= set(allowed)

    variables = {
        "api": {},
        "resource": {
            "name": _resource_name(context.resource), "type": context.type, "service": context.service
        },
        "request": {"time": context.time},
    }  # fmt: skip
    try:
        result = _program(expression).execute(cel.Context(variables, {"getAttribute": attribute, "hasOnly": has_only}))
    except (ValueError, RuntimeError, TypeError, KeyError) as error:
        raise ConditionError(f"{expression}: {_first_line(error)}") from error
    if not isinstance(result, bool):
        raise ConditionError(f"{expression}: it is not true or false")
    return result


def syntax_error(expression: str) -> str | None:
    """What is wrong with the text of a condition; None when it can be read."""
    try:
        _program(expression)
    except ValueError as error:
        return _first_line(error)
    return None


@cache
def _program(expression: str) -> Any:
    import cel

    return cel.compile(expression)


def _first_line(error: Exception) -> str:
    return str(error).split("\n")[0].removeprefix("Failed to parse expression ")


def _resource_name(path: str) -> str:
    """A path as conditions see it: buckets are in project `_`."""
    if not path.startswith("b/"):
        return path
    bucket, _, name = path.removeprefix("b/").partition("/o/")
    return f"projects/_/buckets/{bucket}" + (f"/objects/{name}" if name else "")
