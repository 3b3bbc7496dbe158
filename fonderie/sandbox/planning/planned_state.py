"""The planned state: the prior one with a difference applied, and its nulls put right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonderie.sandbox.lifecycle.interface import UNKNOWN, State
from fonderie.sandbox.planning.difference import COUNT, LeafChange, Node
from fonderie.sandbox.planning.fields import AttributeField, FieldKind
from fonderie.sandbox.planning.values import Normalise, by_code, text


def applied(
    fields: Mapping[str, AttributeField], prior: Mapping[str, Any], node: Node, hashed: Normalise | None
) -> State:
    """Every field of an object after the changes of `node`; None where there is nothing."""
    return {name: _field(field, prior.get(name), node.get(name, {}), hashed) for name, field in fields.items()}


def _field(field: AttributeField, prior: Any, found: Node | LeafChange, hashed: Normalise | None) -> Any:
    if isinstance(found, LeafChange) or field.kind.primitive:
        return _single(field, prior, found if isinstance(found, LeafChange) else None)
    count = found.get(COUNT)
    if count is not None and count.unknown:
        return UNKNOWN
    if count is not None and count.new == "0":
        return {} if field.kind is FieldKind.MAP else []
    if field.kind is FieldKind.MAP:
        return _map(prior, found)
    return (_set if field.kind is FieldKind.SET else _list)(field, prior, found, hashed)


def _single(field: AttributeField | None, prior: Any, change: LeafChange | None) -> Any:
    if change is None:
        return "" if prior is None and field and field.required and field.kind is FieldKind.STRING else prior
    if change.unknown:
        return UNKNOWN
    if change.removed:
        return None
    if change.old == change.new == "":
        return "" if field is None or field.kind is FieldKind.STRING else None
    return change.value


def _map(prior: Any, found: Node) -> Any:
    if not found:
        return prior
    merged = {**(prior or {}), **{str(key): _single(None, None, one) for key, one in found.items() if key != COUNT}}
    return {key: one for key, one in merged.items() if one is not None}


def _list(field: AttributeField, prior: Any, found: Node, hashed: Normalise | None) -> Any:
    if not found:
        return prior
    olds = prior or []
    count = found.get(COUNT)
    length = int(count.new) if count is not None else max(len(olds), 1 + max(_indexes(found), default=-1))
    return [
        _element(field, olds[index] if index < len(olds) else None, found.get(index, {}), hashed)
        for index in range(length)
    ]


def _set(field: AttributeField, prior: Any, found: Node, hashed: Normalise | None) -> Any:
    if not found:
        return prior
    olds = by_code(field, prior or [], hashed if field.fact.own_hash else None)
    if field.element is not None:
        codes = dict.fromkeys([*olds, *(code for code in found if code != COUNT)])
        values = [_single(field.element, olds.get(str(code)), found.get(code)) for code in codes]
        return [one for one in values if one is not None]
    kept = {code: one for code, one in found.items() if code != COUNT and _keeps(one)}
    return [_element(field, olds.get(str(code)), one, hashed) for code, one in kept.items()] or prior


def _element(field: AttributeField, prior: Any, found: Node | LeafChange, hashed: Normalise | None) -> Any:
    if field.element is not None:
        one = _single(field.element, prior, found if isinstance(found, LeafChange) else None)
        return "" if one is None and field.element.kind is FieldKind.STRING and field.kind is FieldKind.LIST else one
    assert not isinstance(found, LeafChange), field.path
    return applied(field.children, prior or {}, found, hashed)


def _keeps(found: Node | LeafChange) -> bool:
    """Whether an element of a set stays: something in it is neither removed nor an empty count."""
    if isinstance(found, LeafChange):
        return not found.removed
    return any(
        not one.removed and not (key == COUNT and one.new == "0") if isinstance(one, LeafChange) else _keeps(one)
        for key, one in found.items()
    )


def _indexes(found: Node) -> list[int]:
    return [key for key in found if isinstance(key, int)]


def with_nulls_as_given(field: AttributeField, planned: Any, proposed: Any) -> Any:
    """`planned`, but empty instead of nothing (or unknown) as proposed, where the difference lost it."""
    if proposed is UNKNOWN:
        return UNKNOWN if planned is None else planned
    if proposed is None or planned is UNKNOWN:
        return planned
    if field.kind.primitive:
        return "" if planned is None and proposed == "" else planned
    if field.kind is FieldKind.MAP:
        return _map_as_given(planned, proposed)
    if field.kind is FieldKind.SET:
        return planned
    if planned is None:
        return proposed if all(one is UNKNOWN for one in proposed) else None
    if len(planned) != len(proposed):
        return planned
    return [_element_as_given(field, one, given) for one, given in zip(planned, proposed, strict=True)]


def object_with_nulls_as_given(
    fields: Mapping[str, AttributeField], planned: State, proposed: Mapping[str, Any]
) -> State:
    """`with_nulls_as_given` for each field."""
    return {name: with_nulls_as_given(field, planned[name], proposed.get(name)) for name, field in fields.items()}


def _element_as_given(field: AttributeField, planned: Any, proposed: Any) -> Any:
    if field.element is not None:
        return with_nulls_as_given(field.element, planned, proposed)
    if not isinstance(proposed, Mapping) or not isinstance(planned, Mapping):
        return planned
    return object_with_nulls_as_given(field.children, dict(planned), proposed)


def _map_as_given(planned: Any, proposed: Mapping[str, Any]) -> Any:
    if not planned:
        return planned
    return {key: proposed.get(key, one) if one is UNKNOWN else one for key, one in planned.items()}


def equivalent(field: AttributeField, first: Any, second: Any) -> bool:
    """Whether two values are the same to the SDK: nothing, zero and empty are one, sets have no order."""
    if first is UNKNOWN or second is UNKNOWN:
        return first is second
    empty = _nothing(first), _nothing(second)
    if any(empty):
        return all(empty)
    if field.kind.primitive:
        return text(first) == text(second)
    if field.kind is FieldKind.MAP:
        return first.keys() == second.keys() and all(_same_text(first[key], second[key]) for key in first)
    if len(first) != len(second):
        return False
    if field.kind is FieldKind.LIST:
        return all(_same_element(field, one, other) for one, other in zip(first, second, strict=True))
    pairs = [[_same_element(field, one, other) for other in second] for one in first]
    return all(any(row) for row in pairs) and all(any(column) for column in zip(*pairs, strict=True))


def equivalent_objects(
    fields: Mapping[str, AttributeField], first: Mapping[str, Any], second: Mapping[str, Any]
) -> bool:
    """`equivalent` for every field."""
    return all(equivalent(field, first.get(name), second.get(name)) for name, field in fields.items())


def _same_element(field: AttributeField, first: Any, second: Any) -> bool:
    if field.element is not None:
        return equivalent(field.element, first, second)
    if first is UNKNOWN or second is UNKNOWN:
        return first is second
    return equivalent_objects(field.children, first, second)


def _same_text(first: Any, second: Any) -> bool:
    return first is second or (UNKNOWN not in (first, second) and text(first) == text(second))


def _nothing(value: Any) -> bool:
    return value is None or value in ("", 0, False) or value == [] or value == {}


def unknown_where_computed(fields: Mapping[str, AttributeField], state: Mapping[str, Any]) -> State:
    """A created resource's state: computed attributes that are nothing are unknown, in blocks too."""
    filled: State = dict(state)
    for name, field in fields.items():
        value = filled.get(name)
        if value is None and field.computed and not field.block:
            filled[name] = UNKNOWN
        elif field.children and isinstance(value, list):
            filled[name] = [
                unknown_where_computed(field.children, one) if isinstance(one, Mapping) else one for one in value
            ]
    return filled
