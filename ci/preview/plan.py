"""Terraform's plan JSON (`terraform show -json`, format 1.x) as typed values, nothing interpreted yet.

Source: "JSON Output Format" of Terraform's documentation. The values here are raw: they may hold secrets, so nothing in
this module is ever printed; `secrets.py` and `attributes.py` make of them what people may read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ci.preview.references import Expressions, all_expressions
from fonderie.errors import BadInputError


class Action(StrEnum):
    """What happens to a resource, in the words of the comment."""

    DESTROY = "destroyed"
    REPLACE = "replaced"
    FORGET = "forgotten"
    UPDATE = "changed"
    CREATE = "added"
    IMPORT = "imported"
    MOVE = "moved"
    NOTHING = "unchanged"

    @property
    def loses(self) -> bool:
        """Whether the object that exists now is gone afterwards."""
        return self in (Action.DESTROY, Action.REPLACE)


@dataclass(frozen=True)
class ResourceChange:
    """One entry of `resource_changes`."""

    address: str
    type: str
    action: Action
    before: Any = None
    after: Any = None
    unknown: Any = None
    before_sensitive: Any = None
    after_sensitive: Any = None
    replace_paths: tuple[tuple[str | int, ...], ...] = ()
    reason: str = ""
    previous_address: str = ""
    imported_id: str = ""
    deposed: str = ""
    create_first: bool = False
    provider: str = ""

    @property
    def changes(self) -> bool:
        """Whether applying does anything to it, in the cloud or in the state."""
        return self.action is not Action.NOTHING

    @property
    def mask(self) -> tuple[Any, Any]:
        """The two sensitivity masks; a path marked in either is a secret in both."""
        return self.before_sensitive, self.after_sensitive


@dataclass(frozen=True)
class StackPlan:
    """One stack's plan. `expressions`: what the resources refer to."""

    environment: str
    stack: str
    changes: tuple[ResourceChange, ...] = ()
    drifted: tuple[ResourceChange, ...] = ()
    outputs: tuple[ResourceChange, ...] = ()
    expressions: Expressions = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    terraform_version: str = ""
    serial: int | None = None
    salt: str = ""


class _Change(BaseModel):
    actions: list[str]
    before: Any = None
    after: Any = None
    after_unknown: Any = None
    before_sensitive: Any = None
    after_sensitive: Any = None
    replace_paths: list[list[str | int]] | None = None
    importing: dict[str, Any] | None = None


class _Resource(BaseModel):
    address: str
    type: str = ""
    mode: str = "managed"
    change: _Change
    action_reason: str = ""
    previous_address: str = ""
    deposed: str = ""
    provider_name: str = ""


class _Plan(BaseModel):
    format_version: str
    terraform_version: str = ""
    resource_changes: list[_Resource] = []
    resource_drift: list[_Resource] = []
    output_changes: dict[str, _Change] = {}
    configuration: dict[str, Any] = {}
    prior_state: dict[str, Any] = {}
    variables: dict[str, Any] = {}


def read_plan(
    source: str | bytes | Path, *, environment: str, stack: str, serial: int | None = None, salt: str = ""
) -> StackPlan:
    """The plan of a stack, from its JSON. `salt` (the state's lineage) keys the hashes of sensitive values.

    Raises BadInputError when it is not a plan of format 1.x; the message never quotes the plan.
    """
    where = f"plan of {stack}"
    try:
        text = source.read_bytes() if isinstance(source, Path) else source
        parsed = _Plan.model_validate(json.loads(text))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"not a plan: {_without_values(error)}", where=where) from None
    if parsed.format_version.split(".")[0] != "1":
        raise BadInputError(f"plan format {parsed.format_version[:20]!r}, expected 1.x", where=where)
    return StackPlan(
        environment=environment,
        stack=stack,
        changes=tuple(_resource(entry) for entry in parsed.resource_changes if entry.mode == "managed"),
        drifted=tuple(_resource(entry) for entry in parsed.resource_drift if entry.mode == "managed"),
        outputs=tuple(_output(name, change) for name, change in sorted(parsed.output_changes.items())),
        expressions=all_expressions(parsed.configuration, parsed.prior_state),
        variables=tuple(_sensitive_variables(parsed)),
        terraform_version=parsed.terraform_version,
        serial=serial,
        salt=salt,
    )


def _without_values(error: Exception) -> str:
    """What is wrong with the JSON, without a value of it: a plan holds secrets."""
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))[:120]}: {first['type']}"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return type(error).__name__


def _resource(entry: _Resource) -> ResourceChange:
    change = entry.change
    return ResourceChange(
        address=entry.address,
        type=entry.type,
        action=_action(entry),
        before=change.before,
        after=change.after,
        unknown=change.after_unknown,
        before_sensitive=change.before_sensitive,
        after_sensitive=change.after_sensitive,
        replace_paths=tuple(tuple(path) for path in change.replace_paths or ()),
        reason=entry.action_reason,
        previous_address=entry.previous_address if entry.previous_address != entry.address else "",
        imported_id=str((change.importing or {}).get("id", "")),
        deposed=entry.deposed,
        create_first=change.actions == ["create", "delete"],
        provider=entry.provider_name,
    )


def _action(entry: _Resource) -> Action:
    """The action; anything unheard of that deletes counts as a destroy, anything else as a change."""
    match sorted(entry.change.actions):
        case ["no-op"] | ["read"] | []:
            if entry.change.importing:
                return Action.IMPORT
            return Action.MOVE if entry.previous_address not in ("", entry.address) else Action.NOTHING
        case ["create"]:
            return Action.CREATE
        case ["create", "delete"]:
            return Action.REPLACE
        case ["forget"] | ["create", "forget"]:
            return Action.FORGET
        case actions:
            return Action.DESTROY if "delete" in actions else Action.UPDATE


def _output(name: str, change: _Change) -> ResourceChange:
    return _resource(_Resource(address=f"output.{name}", type="output", change=change))


def _sensitive_variables(plan: _Plan) -> Iterator[str]:
    declared = (plan.configuration.get("root_module") or {}).get("variables") or {}
    for name, variable in plan.variables.items():
        if (declared.get(name) or {}).get("sensitive") and isinstance(variable, dict):
            yield str(variable.get("value", ""))
