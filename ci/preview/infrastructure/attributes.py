"""What changes inside a resource, attribute by attribute; in lists by element, in JSON and YAML texts by key."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ci.preview.masking.printable import WHOLE
from ci.preview.masking.values import NULL, UNKNOWN, Leaf, Reader, Tree, empty, same, shown
from ci.preview.report import AttributeChange
from fonderie.terraform.plan import Action, ResourceChange
from fonderie.terraform.references import gives_zero, is_zero

_LARGEST_TEXT = 60_000
_LONGEST_LIST = 400
_ZEROS = (None, "null", "false", "0", '""')
# Copies the provider makes of `labels`; shown only where nothing else shows the change.
_COPIES = ("terraform_labels", "effective_labels", "tags_all", "effective_annotations")

Path = tuple[str | int, ...]
Quiet = Callable[[Path], bool]
"""Whether null and the zero value of a type are the same at a path."""


def attribute_changes(
    change: ResourceChange, reader: Reader, arguments: Mapping[str, Any] | None = None
) -> list[AttributeChange]:
    """The attributes that change, whole: first those that force a replacement, last those known later; by name.

    `arguments` is what the configuration sets of the resource, as
    expressions. Where it sets neither, null and the type's zero value (0, false, "", nothing in a list) are the same:
    the provider writes null when it creates, and the zero value when it reads.
    """
    if change.action in (Action.DESTROY, Action.FORGET, Action.MOVE):
        return []
    strict = arguments is None or change.action is Action.CREATE
    quiet: Quiet = (lambda _: False) if strict else (lambda path: not gives_zero(arguments, path))
    return sorted(_walk(change, reader, quiet), key=lambda item: (not item.forces, item.after == UNKNOWN.text))


def _walk(change: ResourceChange, reader: Reader, quiet: Quiet) -> Iterator[AttributeChange]:
    before = change.before if isinstance(change.before, dict) else {}
    after = change.after if isinstance(change.after, dict) else {}
    unknown = change.unknown if isinstance(change.unknown, dict) else {}
    if change.unknown is True:
        unknown = dict.fromkeys(before.keys() | after.keys(), True)
    created = change.action is Action.CREATE
    differ = [
        key
        for key in sorted(before.keys() | after.keys() | unknown.keys())
        if unknown.get(key) not in (None, False, [], {}) or not same(before.get(key), after.get(key))
    ]
    for key in differ:
        if key in _COPIES and (created or any(label in differ for label in ("labels", "annotations", "tags"))):
            continue
        if key == "effective_labels" and "terraform_labels" in differ:
            continue
        masks = [_part(mask, key) for mask in change.mask]
        old = reader.tree(before.get(key), masks, None, key)
        new = reader.tree(after.get(key), masks, unknown.get(key), key)
        if created and (empty(new) or new is UNKNOWN):
            continue
        for path, found in _differences(old, new, (key,), reader.key(key), reader, quiet):
            item = _forced(path, found, change)
            if change.action is not Action.REPLACE or item.forces or not _unset(item):
                yield item


def _unset(item: AttributeChange) -> bool:
    """A zero that the provider filled in and the configuration does not set: no change of a new resource."""
    return item.after == NULL.text and item.before in _ZEROS


def _nothing(old: Tree, new: Tree) -> bool:
    """Whether one is null and the other the zero value of its type."""
    if not (old is NULL or new is NULL):
        return False
    other = new if old is NULL else old
    return is_zero(other.raw if isinstance(other, Leaf) else other)


def _part(mask: object, key: str) -> object:
    return mask.get(key) if isinstance(mask, dict) else mask


def _forced(path: Path, item: AttributeChange, change: ResourceChange) -> AttributeChange:
    forcing = any(path[: len(force)] == force[: len(path)] for force in change.replace_paths if force)
    return item.model_copy(update={"forces": True}) if forcing else item


def _differences(
    old: Tree, new: Tree, path: Path, label: str, reader: Reader, quiet: Quiet
) -> Iterator[tuple[Path, AttributeChange]]:
    if _nothing(old, new) and quiet(path):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            one, other = old.get(key, NULL), new.get(key, NULL)
            if one != other:
                part = reader.key(key)
                inner = f"{label}{part}" if part.startswith("[") else f"{label}.{part}"
                yield from _differences(one, other, (*path, key), inner, reader, quiet)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _list_differences(old, new, path, label, reader, quiet)
    elif old != new:
        yield from _leaf_differences(old, new, path, label, reader)


def _list_differences(
    old: list[Tree], new: list[Tree], path: Path, label: str, reader: Reader, quiet: Quiet
) -> Iterator[tuple[Path, AttributeChange]]:
    if len(old) == len(new) == 1:  # a block that occurs once: its index says nothing
        one, other = old[0], new[0]
        if one != other:
            yield from _differences(one, other, (*path, 0), label, reader, quiet)
        return
    for tag, start, end, first, last in _opcodes(old, new):
        pairs = min(end - start, last - first) if tag == "replace" else 0
        for step in range(pairs):
            index = first + step
            inner = f"{label}[{index}]"
            yield from _differences(old[start + step], new[index], (*path, index), inner, reader, quiet)
        for index in range(start + pairs, end):
            yield (*path, index), AttributeChange(path=f"{label}[{index}]", before=shown(old[index], WHOLE))
        for index in range(first + pairs, last):
            yield (*path, index), AttributeChange(path=f"{label}[{index}]", after=shown(new[index], WHOLE))


def _opcodes(old: list[Tree], new: list[Tree]) -> list[tuple[str, int, int, int, int]]:
    if len(old) + len(new) > _LONGEST_LIST:
        return [("replace", 0, len(old), 0, len(new))]
    matcher = difflib.SequenceMatcher(None, [_key(item) for item in old], [_key(item) for item in new], autojunk=False)
    return [code for code in matcher.get_opcodes() if code[0] != "equal"]


def _key(tree: Tree) -> str:
    """Equal for equal trees; never shown."""
    if isinstance(tree, Leaf):
        return f"{type(tree.raw).__name__} {tree.raw if tree is not UNKNOWN else '?'!r}"
    if isinstance(tree, dict):
        return json.dumps({key: _key(item) for key, item in tree.items()})
    return json.dumps([_key(item) for item in tree])


def _leaf_differences(
    old: Tree, new: Tree, path: Path, label: str, reader: Reader
) -> Iterator[tuple[Path, AttributeChange]]:
    if isinstance(old, Leaf) and isinstance(new, Leaf) and not (old.hidden or new.hidden):
        before, after = reader.document(old.raw), reader.document(new.raw)
        if isinstance(before, dict | list) and type(before) is type(after):
            inside = _differences(before, after, path, f"{label} ▸ ", reader, lambda _: False)
            first = next(inside, (path, AttributeChange(path=label, lines=("(only its formatting changes)",))))
            yield from (first, *inside)
            return
        for one in (old, new):
            document = before if one is old else after
            if document is not None and old is not UNKNOWN and new is not UNKNOWN:
                one.text = shown(document, WHOLE)
        if lines := _text_difference(old.raw, new.raw, reader):
            yield path, AttributeChange(path=label, lines=lines)
            return
    before_text, after_text = shown(old, WHOLE), shown(new, WHOLE)
    if before_text == after_text:
        after_text += " (changed)"
    absent = old is NULL or (isinstance(old, list | dict) and not old)
    yield path, AttributeChange(path=label, before=None if absent else before_text, after=after_text)


def _text_difference(old: object, new: object, reader: Reader) -> tuple[str, ...]:
    """The changed lines of two texts of several lines, with one line around them; () when it is not that."""
    if not (isinstance(old, str) and isinstance(new, str)) or "\n" not in old.strip() + new.strip():
        return ()
    if len(old) + len(new) > _LARGEST_TEXT:
        return ()
    lines = list(difflib.unified_diff(reader.lines(old), reader.lines(new), lineterm="", n=1))[2:]
    return tuple(lines[1:]) or ("(only what is secret in it changes)",)
