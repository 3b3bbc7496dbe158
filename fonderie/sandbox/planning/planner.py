"""Planning: what a change would do, from schema and facts and a few rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fonderie.sandbox.lifecycle.interface import UNKNOWN, Diagnostic, Path, ProviderConfig, State
from fonderie.sandbox.planning import framework, type_rules
from fonderie.sandbox.planning.difference import Comparison, Node, Rules
from fonderie.sandbox.planning.fields import Field, fields_of
from fonderie.sandbox.planning.inherited import inherit
from fonderie.sandbox.planning.planned_state import (
    applied,
    equivalent_objects,
    object_with_nulls_as_given,
    unknown_where_computed,
)
from fonderie.sandbox.planning.replacement import replacing_paths
from fonderie.sandbox.planning.state_functions import hashed, stored
from fonderie.sandbox.planning.state_normalisation import kept
from fonderie.sandbox.planning.suppression import Suppression
from fonderie.sandbox.planning.type_rules import TypeRules
from fonderie.sandbox.planning.validation import faults
from fonderie.sandbox.planning.values import as_kept, configured_object
from fonderie.sandbox.provider.facts import Facts, TypeFacts, check
from fonderie.sandbox.provider.schema import Schema


@dataclass(frozen=True)
class Planned:
    """The answer to a plan request."""

    state: State | None
    requires_replace: Sequence[Path] = ()
    diagnostics: Sequence[Diagnostic] = ()
    legacy: bool = True  # as the real provider's SDK: Terraform forgives it small differences from the configuration


@dataclass(frozen=True)
class _Type:
    facts: TypeFacts
    fields: Mapping[str, Field]
    rules: TypeRules


class Planner:
    """Plans and validates resources of one provider."""

    def __init__(self, schema: Schema, facts: Facts) -> None:
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
    ) -> Planned:
        """The state after the change, as far as it is known, and the paths that force replacement."""
        if proposed is None or config is None:
            return Planned(None)
        known = self._type(type_name)
        if known.facts.framework:
            state, replace = framework.plan(known.fields, prior, proposed, config)
            return Planned(state, replace, legacy=False)
        wanted = inherit(known.facts, known.fields, prior, configured_object(known.fields, proposed), config, provider)
        if known.rules.adjust:
            wanted = known.rules.adjust(prior, wanted, config)
        refused = known.rules.refuse(prior, wanted) if known.rules.refuse else []
        if refused:
            return Planned(prior, diagnostics=refused)
        return _planned(known, prior, proposed, wanted, config)

    def _type(self, name: str) -> _Type:
        if name not in self._types:
            facts = self._facts.type(name)
            fields = fields_of(self._schema.resource(name).block, facts)
            self._types[name] = _Type(facts, fields, type_rules.rules_by_type().get(name, type_rules.NONE))
        return self._types[name]


def _planned(known: _Type, prior: State | None, proposed: State, wanted: State, given: State) -> Planned:
    before = prior or {}
    rules = Rules(Suppression(known.rules, before, wanted, given), stored, hashed)
    kept = as_kept(known.fields, before) if before else {}
    node = Comparison(rules, prior is not None).of_object(known.fields, kept, wanted, (), False)
    if prior is not None and not node:
        return Planned(prior)
    after = object_with_nulls_as_given(known.fields, applied(known.fields, before, node, hashed), proposed)
    after["timeouts"] = proposed.get("timeouts")
    if prior is None:
        return Planned(
            {"id": UNKNOWN, **unknown_where_computed(known.fields, after)}, _replacing(known, {}, after, node)
        )
    after = {"id": before.get("id"), **after}
    if equivalent_objects(known.fields, before, after) and before.get("timeouts") == after["timeouts"]:
        return Planned(prior)
    return Planned(after, _replacing(known, before, after, node))


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
