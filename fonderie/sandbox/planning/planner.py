"""Planning: what a change would do and which paths force replacement, from schema and facts and a few rules.

The provider's few types on the newer plugin framework plan otherwise: the proposed state, computed values unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from fonderie.sandbox.lifecycle.interface import UNKNOWN, Diagnostic, Path, ProviderConfig, State
from fonderie.sandbox.planning import type_rules
from fonderie.sandbox.planning.difference import COUNT, Comparison, Node, Rules, Steps, leaves
from fonderie.sandbox.planning.fields import AttributeField, FieldKind, fields_of
from fonderie.sandbox.planning.inheritance import inherit
from fonderie.sandbox.planning.planned_state import (
    applied,
    equivalent_objects,
    object_with_nulls_as_given,
    unknown_where_computed,
)
from fonderie.sandbox.planning.state_functions import hashed, kept, stored_value
from fonderie.sandbox.planning.suppression import Suppression
from fonderie.sandbox.planning.type_rules import TypeRules
from fonderie.sandbox.planning.validation import faults
from fonderie.sandbox.planning.values import as_kept, comparable, configured_object
from fonderie.sandbox.provider.facts import Facts, TypeFacts, check
from fonderie.sandbox.provider.schema import ProviderSchema


@dataclass(frozen=True)
class PlanResult:
    """The answer to a plan request."""

    state: State | None
    requires_replace: Sequence[Path] = ()
    diagnostics: Sequence[Diagnostic] = ()
    legacy: bool = True  # as the real provider's SDK: Terraform forgives it small differences from the configuration


@dataclass(frozen=True)
class _Type:
    facts: TypeFacts
    fields: Mapping[str, AttributeField]
    rules: TypeRules


class Planner:
    """Plans and validates resources of one provider."""

    def __init__(self, schema: ProviderSchema, facts: Facts) -> None:
        """Raises BadInputError when schema and facts do not fit."""
        check(schema, facts)
        self._schema = schema
        self._facts = facts
        self._types: dict[str, _Type] = {}
        self._provider_fields = fields_of(schema.provider.block, facts.provider())

    def legacy(self, type_name: str) -> bool:
        """Whether the real provider implements the type on the old SDK, as it does nearly all."""
        return not self._facts.type(type_name).framework

    def validate_provider(self, config: State) -> list[Diagnostic]:
        """What is wrong with a provider block."""
        return faults(self._provider_fields, config)

    def validate(self, type_name: str, config: State) -> list[Diagnostic]:
        """What is wrong with a resource's configuration."""
        known = self._type(type_name)
        found = faults(known.fields, config)
        return [*found, *(known.rules.check(config) if known.rules.check else [])]

    def validate_data(self, type_name: str, config: State) -> list[Diagnostic]:
        """What is wrong with a data source's configuration."""
        block = self._schema.data_source(type_name).block
        return faults(fields_of(block, self._facts.data_source(type_name)), config)

    def kept(self, type_name: str, state: State) -> State:
        """A state as the real provider leaves it."""
        known = self._type(type_name)
        if known.facts.framework:
            return state
        after = kept(self._facts, known.fields, type_name, state)
        return known.rules.keeps(after) if known.rules.keeps else after

    def plan(
        self,
        type_name: str,
        prior: State | None,
        proposed: State | None,
        config: State | None,
        provider: ProviderConfig,
    ) -> PlanResult:
        """The state after the change, as far as it is known, and the paths that force replacement."""
        if proposed is None or config is None:
            return PlanResult(None)
        known = self._type(type_name)
        if known.facts.framework:
            state, replace = _framework_plan(known.fields, prior, proposed, config)
            return PlanResult(state, replace, legacy=False)
        wanted = inherit(known.facts, known.fields, prior, configured_object(known.fields, proposed), config, provider)
        if known.rules.adjust:
            wanted = known.rules.adjust(prior, wanted, config)
        refused = known.rules.refuse(prior, wanted) if known.rules.refuse else []
        if refused:
            return PlanResult(prior, diagnostics=refused)
        return _plan_result(known, prior, proposed, wanted, config)

    def _type(self, name: str) -> _Type:
        if name not in self._types:
            facts = self._facts.type(name)
            fields = fields_of(self._schema.resource(name).block, facts)
            self._types[name] = _Type(facts, fields, type_rules.rules_by_type().get(name, type_rules.NONE))
        return self._types[name]


def _plan_result(known: _Type, prior: State | None, proposed: State, wanted: State, given: State) -> PlanResult:
    before = prior or {}
    rules = Rules(Suppression(known.rules, before, wanted, given), stored_value, hashed)
    kept = as_kept(known.fields, before) if before else {}
    node = Comparison(rules, prior is not None).of_object(known.fields, kept, wanted, (), False)
    if prior is not None and not node:
        return PlanResult(prior)
    after = object_with_nulls_as_given(known.fields, applied(known.fields, before, node, hashed), proposed)
    after["timeouts"] = proposed.get("timeouts")
    if prior is None:
        return PlanResult(
            {"id": UNKNOWN, **unknown_where_computed(known.fields, after)}, _replacing(known, {}, after, node)
        )
    after = {"id": before.get("id"), **after}
    if equivalent_objects(known.fields, before, after) and before.get("timeouts") == after["timeouts"]:
        return PlanResult(prior)
    return PlanResult(after, _replacing(known, before, after, node))


def _replacing(known: _Type, before: State, after: State, node: Node) -> list[Path]:
    found = [
        path
        for path in replacing_paths(known.fields, node)
        if not (stays := known.rules.stays.get(_fact_path(path))) or not stays(before, after)
    ]
    more = known.rules.replaces(before, after) if known.rules.replaces and before else []
    found += [path for path in more if path not in found]
    return [*found, ("id",)] if found else []


def _fact_path(path: Path) -> str:
    return ".".join(step for step in path if isinstance(step, str))


def replacing_paths(fields: Mapping[str, AttributeField], node: Node) -> list[Path]:
    """The paths of all changes that force replacement, each once; a path ends at the first set, map or length."""
    found = dict.fromkeys(_path(fields, steps) for steps, change in leaves(node) if change.requires_new)
    return list(found)


def _path(fields: Mapping[str, AttributeField], steps: Steps) -> Path:
    return tuple(_steps(fields, steps))


def _steps(fields: Mapping[str, AttributeField], steps: Steps) -> Iterator[str | int]:
    remaining = list(steps)
    while remaining:
        name = str(remaining.pop(0))
        yield name
        field = fields[name]
        if field.kind is not FieldKind.LIST or not remaining or remaining[0] == COUNT:
            return
        yield int(remaining.pop(0))
        fields = field.children


def _framework_plan(
    fields: Mapping[str, AttributeField], prior: State | None, proposed: State, config: State
) -> tuple[State, list[Path]]:
    """The planned state and the paths that force replacement. On a change what is computed and not given is unknown."""
    wanted = {
        name: fields[name].fact.default if name in fields and value is None else value
        for name, value in proposed.items()
    }
    if prior is not None and all(_equal(field, prior.get(name), wanted.get(name)) for name, field in fields.items()):
        return prior, []
    for name in wanted:
        computed = name == "id" or (name in fields and fields[name].computed)
        if computed and config.get(name) is None and (prior is None or name != "id"):
            wanted[name] = UNKNOWN
    replace: list[Path] = [
        (name,)
        for name, field in fields.items()
        if prior is not None and field.force_new and not _equal(field, prior.get(name), wanted.get(name))
    ]
    return wanted, replace


def _equal(field: AttributeField, first: object, second: object) -> bool:
    if (
        first is UNKNOWN
        or second is UNKNOWN
        or (field.kind is not FieldKind.STRING and (first is None) != (second is None))
    ):
        return first is second
    return bool(comparable(field, first) == comparable(field, second))
