"""What is wrong with a configuration, told from the facts and in the provider's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fonderie.sandbox.lifecycle.interface import UNKNOWN, Diagnostic, DiagnosticSeverity, Path, State
from fonderie.sandbox.planning import formats
from fonderie.sandbox.planning.fields import AttributeField, FieldKind
from fonderie.sandbox.planning.values import has_unknown, text
from fonderie.sandbox.provider.facts import Values


def faults(fields: Mapping[str, AttributeField], config: State) -> list[Diagnostic]:
    """Everything wrong with the configuration of a resource."""
    return list(_of_object(fields, config, config, ()))


def error(summary: str, detail: str = "", path: Path = ()) -> Diagnostic:
    """An error diagnostic."""
    return Diagnostic(DiagnosticSeverity.ERROR, summary, detail, path)


def _of_object(
    fields: Mapping[str, AttributeField], value: Mapping[str, Any], root: State, at: Path
) -> Iterator[Diagnostic]:
    for name, field in fields.items():
        yield from _of_field(field, value.get(name), root, (*at, name))


def _of_field(field: AttributeField, value: Any, root: State, at: Path) -> Iterator[Diagnostic]:
    found = _combination(field, value, root, at)
    if found is not None:
        yield found
        return
    if value is None or value is UNKNOWN:
        return
    if field.fact.deprecated and not (field.block and not value):
        yield Diagnostic(DiagnosticSeverity.WARNING, "Argument is deprecated", "", at)
    if field.kind.primitive:
        yield from _of_value(field.fact.values, value, at)
    elif field.kind is FieldKind.MAP:
        return
    else:
        yield from _of_elements(field, value, root, at)


def _of_elements(field: AttributeField, value: list[Any], root: State, at: Path) -> Iterator[Diagnostic]:
    most, least = field.fact.max_items, field.fact.min_items
    if not field.block and not has_unknown(value):
        if most and len(value) > most:
            words = f"Attribute {at[-1]} supports {most} item maximum, but config has {len(value)} declared."
            yield error("Too many list items", words, at)
        if least and len(value) < least:
            words = f"Attribute {at[-1]} requires {least} item minimum, but config has only {len(value)} declared."
            yield error("Not enough list items", words, at)
    for index, one in enumerate(value):
        # the elements of a set have no address, so a fault of theirs is the set's
        place = at if field.kind is FieldKind.SET else (*at, index)
        if one is UNKNOWN or one is None:
            continue
        if field.element is not None:
            yield from _of_value(_element_values(field), one, place)
        else:
            yield from _of_object(field.children, one, root, place)


def _combination(field: AttributeField, value: Any, root: State, at: Path) -> Diagnostic | None:
    """Whether the arguments set together may be."""
    fact, key = field.fact, _key(at)
    given = _given(value, field)
    if fact.exactly_one_of:
        keys = sorted({*fact.exactly_one_of, key})
        there = [one for one in keys if _present(root, one) is True]
        if not there and not any(_present(root, one) is None for one in keys):
            return error(
                "Invalid combination of arguments", f'"{key}": one of `{",".join(keys)}` must be specified', at
            )
        if len(there) > 1:
            words = f"only one of `{','.join(keys)}` can be specified, but `{','.join(there)}` were specified."
            return error("Invalid combination of arguments", f'"{key}": {words}', at)
    if fact.at_least_one_of:
        keys = sorted({*fact.at_least_one_of, key})
        if all(_present(root, one) is False for one in keys):
            return error("Missing required argument", f'"{key}": one of `{",".join(keys)}` must be specified', at)
    if not given:
        return None
    if fact.required_with:
        keys = sorted({*fact.required_with, key})
        if any(_present(root, one) is False for one in keys):
            return error("Missing required argument", f'"{key}": all of `{",".join(keys)}` must be specified', at)
    if not has_unknown(value):
        for other in fact.conflicts_with:
            if _present(root, other):
                return error("Conflicting configuration arguments", f'"{key}": conflicts with {other}', at)
    return None


def _given(value: Any, field: AttributeField) -> bool:
    return value is not None and not (field.block and not value)


def _present(root: State, key: str) -> bool | None:
    """Whether the configuration has `a.0.b`; None when that is not known yet."""
    at: Any = root
    for part in key.split("."):
        if at is UNKNOWN:
            return None
        if isinstance(at, list):
            if not part.isdigit() or int(part) >= len(at):
                return False
            at = at[int(part)]
        elif isinstance(at, Mapping):
            at = at.get(part)
        else:
            return False
    if at is UNKNOWN:
        return None
    return at is not None and at != []


def _of_value(values: Values, value: Any, at: Path) -> Iterator[Diagnostic]:
    name = _key(at)
    if words := complaint(values, value, name):
        yield error(words, path=at)


def complaint(values: Values, value: Any, name: str) -> str | None:
    """What a validator says of a value; None when it takes it."""
    if isinstance(value, bool):
        return None
    if values.enum is not None and not _listed(values, value):
        return f"expected {name} to be one of {_quoted(values.enum)}, got {text(value)}"
    if isinstance(value, str):
        return _of_text(values, value, name)
    if values.range is not None and not values.range[0] <= value <= values.range[1]:
        low, high = (text(end) for end in values.range)
        return f"expected {name} to be in the range ({low} - {high}), got {text(value)}"
    if values.min is not None and value < values.min:
        return f"expected {name} to be at least ({text(values.min)}), got {text(value)}"
    return None


def _of_text(values: Values, value: str, name: str) -> str | None:
    if values.length is not None and not formats.within(value, values.length):
        least, most = values.length
        if most < 0:
            return f"expected length of {name} to be at least {least}, got {value}"
        return f"expected length of {name} to be in the range ({least} - {most}), got {value}"
    if values.pattern is not None and not re.search(values.pattern, value):
        return f'"{name}" ("{value}") doesn\'t match regexp "{values.pattern}"'
    form = formats.recognised(values)
    if form is not None and not form.accepts(value):
        return form.complaint.format(name=f'"{name}"', value=f'"{value}"')
    return None


def _listed(values: Values, value: Any) -> bool:
    assert values.enum is not None
    if values.ignore_case:
        return text(value).lower() in (text(one).lower() for one in values.enum)
    return text(value) in map(text, values.enum)


def _quoted(enum: Any) -> str:
    return "[" + " ".join(f'"{one}"' if isinstance(one, str) else text(one) for one in enum) + "]"


def _key(path: Path) -> str:
    return ".".join(str(step) for step in path)


def _element_values(field: AttributeField) -> Values:
    """What elements are checked against. A framework type's fact says it of the set itself."""
    return field.fact.element_values if field.fact.elements_validate else field.fact.values
