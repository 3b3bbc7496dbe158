"""Two sets of facts about a model, compared: dotted name -> value, before and after, lists by their elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ci.preview.masking.printable import WHOLE, apart, printable
from ci.preview.masking.values import Reader, same, shown
from ci.preview.report import ModelChange

ABSENT = object()
_LONGEST = 120
_DEEPEST = 12


def flat(value: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Dotted paths to values; lists are values, and so is what is nested deeper than any setting."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and depth < _DEEPEST:
            found.update(flat(item, f"{prefix}{key}.", depth + 1))
        else:
            found[f"{prefix}{key}"] = item
    return found


def fact_changes(
    model: str, old: Mapping[str, Any], new: Mapping[str, Any], reader: Reader, where: str = ""
) -> Iterator[tuple[str, ModelChange]]:
    """What differs between two sets of facts, by name, with the name as `what`."""
    for name, before, after in different(old, new):
        yield name, fact_change(model, name, before, after, reader, where)


def different(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, object, object]]:
    """Name, before and after of what differs, by name; ABSENT for what is not there."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, ABSENT), new.get(name, ABSENT)
        if not same(before, after):
            yield name, before, after


def fact_change(model: str, name: str, before: object, after: object, reader: Reader, where: str = "") -> ModelChange:
    """One fact that differs, as it may be seen."""
    what = printable(name)
    if isinstance(before, list) and isinstance(after, list):
        gone = [item for item in before if item not in after]
        come = [item for item in after if item not in before]
        if gone or come:
            removed, added = _listed(gone, "removed", reader), _listed(come, "added", reader)
            return ModelChange(model=model, what=what, before=removed, after=added, where=where)
    key = name.rsplit(".", 1)[-1]
    one, other = apart(_value(before, key, reader), _value(after, key, reader), _LONGEST)
    other = other if other != one else f"{other} (changed)"
    return ModelChange(model=model, what=what, before=one, after=other, where=where)


def _value(value: object, name: str, reader: Reader) -> str:
    if value is ABSENT:
        return "not set"
    text = shown(reader.tree(value, name=name), WHOLE)
    return text[1:-1] if isinstance(value, str) and len(text) > 2 and text[0] == text[-1] == '"' else text


def _listed(items: list[Any], verb: str, reader: Reader) -> str:
    return f"{verb}: {shown(reader.tree(items))[1:-1]}" if items else "—"
