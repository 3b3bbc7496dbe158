"""Terraform's plan JSON (`terraform show -json`, format 1.x) as typed values, nothing interpreted yet.

Source: "JSON Output Format" of Terraform's documentation. The values here are raw: they may hold secrets, so nothing in
this module is ever printed; `secrets.py` and `attributes.py` make of them what people may read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fonderie.core.errors import BadInputError
from fonderie.terraform import plan_file
from fonderie.terraform.references import (
    Expressions,
    all_arguments,
    all_expressions,
    masked,
    part,
    resources_in,
    texts,
    without_keys,
)


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
    deferred: str = ""

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
    """One stack's plan. `expressions`: what the resources refer to; `incomplete`: Terraform ended it with an error.

    `arguments`: what the configuration sets of each resource, as expressions. `elsewhere`: values with their masks that
    no change holds, of data sources and of the state before; `state`: the latter's resources, as (type, values).
    `document`: all of Terraform's JSON; `configuration`: the `cdk.tf.json` that was planned; `tools`: what planned it.
    """

    environment: str
    stack: str
    changes: tuple[ResourceChange, ...] = ()
    drifted: tuple[ResourceChange, ...] = ()
    outputs: tuple[ResourceChange, ...] = ()
    expressions: Expressions = field(default_factory=dict)
    arguments: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    terraform_version: str = ""
    serial: int | None = None
    salt: str = ""
    incomplete: bool = False
    elsewhere: tuple[tuple[Any, Any], ...] = ()
    state: tuple[tuple[str, dict[str, Any]], ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    configuration: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tools: Mapping[str, str] = field(default_factory=dict)


def read_plan(
    source: str | bytes | Path,
    *,
    environment: str,
    stack: str,
    serial: int | None = None,
    salt: str = "",
    configuration: Mapping[str, Any] | None = None,
    tools: Mapping[str, str] | None = None,
) -> StackPlan:
    """The plan of a stack, from its JSON. `salt` (the state's lineage) keys the digests of its values.

    Raises BadInputError when it is not a plan of format 1.x; the message never quotes the plan.
    """
    where = f"plan of {stack}"
    try:
        text = source.read_bytes() if isinstance(source, Path) else source
        document = json.loads(text)
        parsed = plan_file.PlanFile.model_validate(document)
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"not a plan: {_without_values(error)}", where=where) from None
    if parsed.format_version.split(".")[0] != "1":
        raise BadInputError(f"plan format {parsed.format_version[:20]!r}, expected 1.x", where=where)
    return StackPlan(
        environment=environment,
        stack=stack,
        changes=tuple(_changes(parsed)),
        drifted=tuple(_resource(entry) for entry in parsed.resource_drift if entry.mode != "data"),
        outputs=tuple(_output(name, change) for name, change in sorted(parsed.output_changes.items())),
        expressions=all_expressions(parsed.configuration, parsed.prior_state),
        arguments=all_arguments(parsed.configuration),
        variables=tuple(_sensitive_variables(parsed)),
        terraform_version=parsed.terraform_version,
        serial=serial,
        salt=salt,
        incomplete=parsed.errored,
        elsewhere=tuple(_elsewhere(parsed)),
        state=tuple(resources_in(part(parsed.prior_state, "values"))),
        document=document,
        configuration=configuration or {},
        tools=tools or {},
    )


def _changes(plan: plan_file.PlanFile) -> Iterator[ResourceChange]:
    """What changes now, and what is put off until more is known: it is reviewed, and lost, all the same."""
    for entry in plan.resource_changes:
        if entry.mode != "data":  # reading changes nothing
            yield _resource(entry)
    for later in plan.deferred_changes:
        if later.resource_change.mode != "data":
            yield replace(_resource(later.resource_change), deferred=later.reason or "no reason given")


def _elsewhere(plan: plan_file.PlanFile) -> Iterator[tuple[Any, Any]]:
    for entry in (*plan.resource_changes, *plan.resource_drift):
        if entry.mode == "data":
            yield entry.change.before, entry.change.before_sensitive
            yield entry.change.after, entry.change.after_sensitive
    yield from masked(part(plan.prior_state, "values"))


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


def _resource(entry: plan_file.RawResourceChange) -> ResourceChange:
    change = entry.change
    return ResourceChange(
        address=entry.address,
        type=entry.type or without_keys(entry.address).rpartition(".")[0].rpartition(".")[2],
        action=_action(entry),
        before=change.before,
        after=change.after,
        unknown=change.after_unknown,
        before_sensitive=change.before_sensitive,
        after_sensitive=change.after_sensitive,
        replace_paths=tuple(tuple(_step(part) for part in path) for path in change.replace_paths),
        reason=entry.action_reason,
        previous_address=entry.previous_address if entry.previous_address != entry.address else "",
        imported_id=_imported(change.importing),
        deposed=entry.deposed,
        create_first=change.actions == ["create", "delete"],
        provider=entry.provider_name,
    )


def _step(part: Any) -> str | int:
    """A step of a path; into a set it may be an element, which says nothing more."""
    return part if isinstance(part, str | int) else "*"


def _imported(importing: dict[str, Any] | None) -> str:
    """What it is imported by: an id, or (Terraform 1.12) an identity of several parts."""
    if importing is None:
        return ""
    found = importing.get("id") or importing.get("identity")
    if isinstance(found, dict):
        return ", ".join(f"{key}={value}" for key, value in found.items())
    return str(found) if found else "an id known after apply"


def action_of(entry: Mapping[str, Any]) -> Action:
    """The action of an entry of a plan's JSON, as it is written there."""
    return _action(plan_file.RawResourceChange.model_validate(entry))


def _action(entry: plan_file.RawResourceChange) -> Action:
    """The action; anything unheard of that deletes counts as a destroy, anything else as a change."""
    match sorted(action.lower() for action in entry.change.actions):
        case ["no-op"] | ["read"] | []:
            if entry.change.importing is not None:
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


def _output(name: str, change: plan_file.RawChange) -> ResourceChange:
    return _resource(plan_file.RawResourceChange(address=f"output.{name}", type="output", change=change))


def _sensitive_variables(plan: plan_file.PlanFile) -> Iterator[str]:
    """The texts in the values of variables that are declared sensitive."""
    declared = part(plan.configuration, "root_module", "variables")
    for name, variable in plan.variables.items():
        if part(declared, name).get("sensitive") and isinstance(variable, dict):
            yield from texts(variable.get("value"))
