"""Values as the SDK sees them: absent or present, as text, as what identifies an element of a set."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from fonderie.sandbox.lifecycle.interface import UNKNOWN
from fonderie.sandbox.planning.fields import AttributeField, FieldKind

Normalise = Callable[[AttributeField, Any], Any]
"""What a set's own hash function makes of a value before it counts, such as lower case."""

_ZERO = {FieldKind.STRING: "", FieldKind.INT: 0, FieldKind.FLOAT: 0, FieldKind.BOOL: False}


def zero(field: AttributeField) -> Any:
    """What the SDK puts in the place of a missing value."""
    if field.kind.primitive:
        return _ZERO[field.kind]
    return {} if field.kind is FieldKind.MAP else []


def text(value: Any) -> str:
    """A primitive as the SDK compares it; absent and unknown are the empty string."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return "" if value is UNKNOWN else str(value)


def configured(field: AttributeField, value: Any) -> Any:
    """`value` as the SDK reads it from a configuration: defaults filled in, None where there is nothing.

    A list of plain values or a map that holds something unknown is unknown as a whole; a list without blocks is
    nothing.
    """
    if value is None:
        return field.fact.default if field.kind.primitive else None
    if value is UNKNOWN or field.kind.primitive:
        return value
    if field.kind is FieldKind.MAP:
        return UNKNOWN if any(one is UNKNOWN for one in value.values()) else value
    if field.block and not value:
        return None
    if field.children:
        return [one if one is UNKNOWN else configured_object(field.children, one) for one in value]
    return UNKNOWN if any(one is UNKNOWN for one in value) else value


def configured_object(fields: Mapping[str, AttributeField], value: Mapping[str, Any] | None) -> dict[str, Any]:
    """Every field of an object as `configured`."""
    given = value or {}
    return {name: configured(field, given.get(name)) for name, field in fields.items()}


def as_kept(fields: Mapping[str, AttributeField], state: Mapping[str, Any], *, inside: bool = False) -> dict[str, Any]:
    """A state as the SDK keeps it after reading: what the API left out is zero (or the default), not null.

    At the top of a resource that goes for plain values that a user may set and for lists and maps that the server may,
    `inside` a block for everything; no block is an empty list. Source: the values before a change in the recorded plans
    (44 of 46 attributes).
    """
    return {name: _kept(field, state.get(name), inside=inside) for name, field in fields.items()}


def _kept(field: AttributeField, value: Any, *, inside: bool) -> Any:
    if value is None:
        return _left_out(field, inside=inside)
    if not field.children or not isinstance(value, list):
        return value
    return [as_kept(field.children, one, inside=True) if isinstance(one, Mapping) else one for one in value]


def _left_out(field: AttributeField, *, inside: bool) -> Any:
    read_back = (field.optional and not field.computed) if field.kind.primitive else field.computed
    if field.fact.write_only or not (inside or field.block or read_back):
        return None
    if field.kind.primitive and field.fact.default is not None and field.fact.suppresses:
        return field.fact.default
    return zero(field)


def has_unknown(value: Any) -> bool:
    """Whether anything inside is unknown."""
    if isinstance(value, Mapping):
        return any(has_unknown(one) for one in value.values())
    if isinstance(value, list):
        return any(has_unknown(one) for one in value)
    return value is UNKNOWN


def comparable(field: AttributeField, value: Any, normalise: Normalise | None = None, *, hashing: bool = False) -> Any:
    """A JSON-like value equal for two values that the SDK takes for the same: missing is zero, sets have no order.

    With `hashing` as it identifies elements of a set: computed-only fields do not count.
    """
    if field.kind.primitive:
        if value is UNKNOWN:
            return "\0unknown"
        present = zero(field) if value is None else value
        return text(normalise(field, present) if normalise else present)
    if value is None or value is UNKNOWN:
        return []
    if field.kind is FieldKind.MAP:
        return sorted([key, text(one)] for key, one in value.items())
    items = [comparable_element(field, one, normalise, hashing=hashing) for one in value]
    return sorted(items, key=json.dumps) if field.kind is FieldKind.SET else items


def comparable_element(
    field: AttributeField, value: Any, normalise: Normalise | None = None, *, hashing: bool = False
) -> Any:
    """`comparable` of an element of a list or set."""
    if field.element is not None:
        return comparable(field.element, value, normalise, hashing=hashing)
    members = value if isinstance(value, Mapping) else {}
    counting = [one for one in field.children.values() if one.configurable]
    children = counting if hashing and counting else list(field.children.values())
    return [[one.name, comparable(one, members.get(one.name), normalise, hashing=hashing)] for one in children]


def by_code(field: AttributeField, elements: list[Any], normalise: Normalise | None = None) -> dict[str, Any]:
    """The elements of a set by what identifies them; elements that are the same fall together."""
    coded = {}
    for one in elements:
        digest = zlib.crc32(json.dumps(comparable_element(field, one, normalise, hashing=True)).encode())
        coded[("~" if has_unknown(one) else "") + str(digest)] = one
    return coded
