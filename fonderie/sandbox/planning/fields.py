"""Schema and facts of a resource type, joined into one tree: what planning walks over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from fonderie.sandbox.provider.facts import Fact, TypeFacts
from fonderie.sandbox.provider.schema import Attribute, Block, CtyType, NestedBlock


class FieldKind(StrEnum):
    """The SDK's types. An object is an element of a list or set of blocks."""

    STRING = "string"
    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    MAP = "map"
    LIST = "list"
    SET = "set"

    @property
    def primitive(self) -> bool:
        """Whether it is a single value."""
        return self in (FieldKind.STRING, FieldKind.INT, FieldKind.FLOAT, FieldKind.BOOL)


_UNSAID = Fact(kind="string")


@dataclass(frozen=True)
class AttributeField:
    """One attribute or block. A list or set has either `children` (its elements are objects) or an `element`."""

    name: str
    path: str  # as the facts name it: `a.b.c`
    kind: FieldKind
    fact: Fact = _UNSAID
    required: bool = False
    optional: bool = False
    computed: bool = False
    block: bool = False  # written as a block; not as an attribute holding objects
    force_new: bool = False
    children: Mapping[str, AttributeField] = field(default_factory=dict)
    element: AttributeField | None = None

    @property
    def configurable(self) -> bool:
        """Whether a configuration may set it."""
        return self.required or self.optional


def fields_of(block: Block, facts: TypeFacts, prefix: str = "") -> dict[str, AttributeField]:
    """The fields of a block by name; `id` and `timeouts`, which the SDK treats apart, are left out at the top."""
    fields = {name: _of_attribute(attribute, facts, f"{prefix}{name}") for name, attribute in block.attributes.items()}
    fields |= {name: _of_block(nested, facts, f"{prefix}{name}") for name, nested in block.blocks.items()}
    if not prefix:
        fields.pop("timeouts", None)
        if not facts.attributes.get("id", _UNSAID).optional:
            fields.pop("id", None)
    return fields


def _of_attribute(attribute: Attribute, facts: TypeFacts, path: str) -> AttributeField:
    fact = facts.attributes.get(path, _UNSAID)
    base = AttributeField(
        attribute.name,
        path,
        _kind(attribute.type, fact.kind),
        fact,
        attribute.required,
        attribute.optional,
        attribute.computed,
        force_new=fact.force_new,
    )
    return _with_elements(base, attribute.type, facts)


def _of_block(nested: NestedBlock, facts: TypeFacts, path: str) -> AttributeField:
    fact = facts.attributes.get(path, _UNSAID)
    return AttributeField(
        nested.name,
        path,
        FieldKind.SET if nested.nesting == "set" else FieldKind.LIST,
        fact,
        fact.required,
        fact.optional,
        fact.computed,
        block=True,
        force_new=fact.force_new,
        children=fields_of(nested.block, facts, f"{path}."),
    )


def _with_elements(base: AttributeField, type: CtyType, facts: TypeFacts) -> AttributeField:
    match type:
        case ["list" | "set", ["object", members]]:
            children = {
                name: _of_attribute(_member(name, kind, facts, f"{base.path}.{name}"), facts, f"{base.path}.{name}")
                for name, kind in members.items()
            }
            return replace(base, children=children)
        case ["list" | "set", inner]:
            return replace(base, element=_element(base, _kind(inner, _inner(base.fact.kind))))
    return base


def _member(name: str, type: CtyType, facts: TypeFacts, path: str) -> Attribute:
    fact = facts.attributes.get(path, _UNSAID)
    return Attribute(name, type, fact.required, fact.optional, fact.computed)


def _element(base: AttributeField, kind: FieldKind) -> AttributeField:
    """An element has the field's own `force_new` and the facts known of elements."""
    known = base.fact
    fact = Fact(
        kind=kind.value,
        suppresses=known.elements_suppress,
        suppressed=known.elements_suppressed,
        validates=known.elements_validate,
        values=known.element_values,
        normalises=known.elements_normalise,
        normalised=known.elements_normalised,
    )
    return AttributeField("", base.path, kind, fact, force_new=base.force_new)


def _inner(kind: str) -> str:
    return kind.partition("<")[2].rstrip(">")


def _kind(type: CtyType, known: str) -> FieldKind:
    if not isinstance(type, str):
        return FieldKind(type[0])
    if type == "number":
        return FieldKind.FLOAT if known == "float" else FieldKind.INT
    return FieldKind(type) if type in ("string", "bool") else FieldKind.STRING
