"""Planning: what a change would do, from schema and facts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.sandbox.facts import Facts, check
from infra.sandbox.interface import UNKNOWN, Diagnostic, Path, ProviderConfig, State
from infra.sandbox.schema import Block, Schema


@dataclass(frozen=True)
class Planned:
    """The answer to a plan request."""

    state: State | None
    requires_replace: Sequence[Path] = ()
    diagnostics: Sequence[Diagnostic] = ()
    legacy: bool = True  # as the real provider's SDK: Terraform forgives it small differences from the configuration


class Planner:
    """Plans and validates resources of one provider."""

    def __init__(self, schema: Schema, facts: Facts) -> None:
        """Raises BadInputError when schema and facts do not fit."""
        check(schema, facts)
        self._schema = schema
        self._facts = facts

    def legacy(self, type_name: str) -> bool:
        """Whether the real provider implements the type on the old SDK, as it does nearly all."""
        return not self._facts.type(type_name).framework

    def validate_provider(self, config: State) -> list[Diagnostic]:
        """What is wrong with a provider block."""
        return []

    def validate(self, type_name: str, config: State) -> list[Diagnostic]:
        """What is wrong with a resource's configuration."""
        return []

    def plan(
        self,
        type_name: str,
        prior: State | None,
        proposed: State | None,
        config: State | None,
        provider: ProviderConfig,
    ) -> Planned:
        """The state after the change, as far as it is known, and the paths that force replacement."""
        block = self._schema.resource(type_name).block
        if proposed is None or config is None:
            return Planned(None)
        if prior is None:
            return Planned(unknown_where_computed(proposed, block), legacy=self.legacy(type_name))
        known = self._facts.type(type_name).attributes
        replace: list[Path] = [
            (name,)
            for name in block.attributes
            if name in known and known[name].force_new and proposed[name] != prior[name]
        ]
        return Planned(proposed, replace, legacy=self.legacy(type_name))


def unknown_where_computed(state: State, block: Block) -> State:
    """`state` with computed attributes that are null unknown, in nested blocks too."""
    filled: dict[str, Any] = dict(state)
    for name, attribute in block.attributes.items():
        if attribute.computed and filled[name] is None:
            filled[name] = UNKNOWN
    for name, nested in block.blocks.items():
        if isinstance(filled[name], list):
            filled[name] = [unknown_where_computed(one, nested.block) for one in filled[name]]
    return filled
