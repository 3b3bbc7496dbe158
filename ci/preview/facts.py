"""Two sets of facts about a model, compared: dotted name -> value, before and after, lists by their elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ci.preview.printable import printable
from ci.preview.report import ModelChange
from ci.preview.values import Reader, same, shown

_ABSENT = object()


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted paths to values; lists are values."""
    found: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, Mapping):
            found.update(flat(item, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = item
    return found


def fact_changes(
    model: str, old: Mapping[str, Any], new: Mapping[str, Any], reader: Reader, where: str = ""
) -> Iterator[tuple[str, ModelChange]]:
    """What differs between two sets of facts, by name, with the name as `what`."""
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, _ABSENT), new.get(name, _ABSENT)
        if not same(before, after):
            yield name, _change(model, name, before, after, reader, where)


def _change(model: str, name: str, before: object, after: object, reader: Reader, where: str) -> ModelChange:
    what = printable(name)
    if isinstance(before, list) and isinstance(after, list):
        gone = [item for item in before if item not in after]
        come = [item for item in after if item not in before]
        if gone or come:
            removed, added = _listed(gone, "removed", reader), _listed(come, "added", reader)
            return ModelChange(model=model, what=what, before=removed, after=added, where=where)
    key = name.rsplit(".", 1)[-1]
    one, other = (_value(item, key, reader) for item in (before, after))
    other = other if other != one else f"{other} (changed)"
    return ModelChange(model=model, what=what, before=one, after=other, where=where)


def _value(value: object, name: str, reader: Reader) -> str:
    if value is _ABSENT:
        return "not set"
    text = shown(reader.tree(value, name=name), 120)
    return text[1:-1] if isinstance(value, str) and len(text) > 2 and text[0] == text[-1] == '"' else text


def _listed(items: list[Any], verb: str, reader: Reader) -> str:
    return f"{verb}: {shown(reader.tree(items))[1:-1]}" if items else "—"
