"""A value of a plan as a tree of leaves that compare by what they hold and print without their secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import yaml

from ci.preview.masking.patterns import HIDDEN, is_secret_name
from ci.preview.masking.printable import LONGEST, folded, printable, quoted
from ci.preview.masking.secrets import Masker

DEEPEST = 40
LARGEST_DOCUMENT = 200_000
DEEPEST_DOCUMENT = 100
Tree = Any  # Leaf | dict[str, Tree] | list[Tree]
_UNKNOWN = object()
_STRINGS = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # every scalar a string: no dates, no objects, no surprises
_ALIAS = re.compile(r"\*\w")


class Leaf:
    """A value that is not looked into. `raw` decides whether two are equal, `text` is what may be seen."""

    __slots__ = ("raw", "text")

    def __init__(self, raw: object, text: str) -> None:
        self.raw = raw
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Leaf) and same(self.raw, other.raw)

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return self.text

    @property
    def hidden(self) -> bool:
        """Whether nothing of it may be seen."""
        return self.text == HIDDEN


UNKNOWN = Leaf(_UNKNOWN, "(known after apply)")
NULL = Leaf(None, "null")


def same(one: object, other: object) -> bool:
    """Equal as Terraform means it: 1 and true differ; what is nested too deeply to tell differs as well."""
    if type(one) is not type(other) and not (_number(one) and _number(other)):
        return False
    try:
        return one == other
    except RecursionError:
        return False


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def hides(mask: Any, value: Any, depth: int = 0) -> bool:
    """Whether a mask hides all of a value: it says so, or it has another shape and marks something."""
    if not isinstance(mask, dict | list):
        return bool(mask)
    if type(mask) is type(value) and depth == 0:
        return False
    inner = mask.values() if isinstance(mask, dict) else mask
    return depth > DEEPEST or any(hides(one, None, depth + 1) for one in inner)


class Reader:
    """Makes trees of values, hiding what `masker` and the masks hide."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker

    def tree(self, value: Any, masks: Iterable[Any] = (), unknown: Any = None, name: str = "", depth: int = 0) -> Tree:
        """The tree of `value`; `masks` and `unknown` have its shape, `name` is the key it stands under."""
        masks = [mask for mask in masks if mask]
        if unknown is True:
            return UNKNOWN
        if masks and any(hides(mask, value) for mask in masks):
            return Leaf(value, HIDDEN) if value is not None else NULL
        if depth > DEEPEST:
            return Leaf(value, "(nested too deeply to show)")
        if isinstance(value, dict) or (value is None and isinstance(unknown, dict) and unknown):
            return self._branch(value or {}, masks, unknown, depth)
        if isinstance(value, list):
            return [
                self.tree(item, [_at(mask, index) for mask in masks], _at(unknown, index), name, depth + 1)
                for index, item in enumerate(value)
            ]
        return self._leaf(value, name)

    def _branch(self, value: dict[str, Any], masks: list[Any], unknown: Any, depth: int) -> Tree:
        keys = value.keys() | (unknown.keys() if isinstance(unknown, dict) else set())
        holder = str(value.get("name") or value.get("key") or "") if {"value", "secret_value"} & value.keys() else ""
        branch: dict[str, Tree] = {}
        for key in sorted(keys):
            name = holder if holder and "value" in key else key
            inner = [_at(mask, key) for mask in masks]
            branch[self._named(key, branch)] = self.tree(value.get(key), inner, _at(unknown, key), name, depth + 1)
        return branch

    def _named(self, key: str, taken: dict[str, Tree]) -> str:
        """A key without its secrets; two that look alike then are numbered."""
        text = self._masker.text(key)
        return text if text not in taken else f"{text} {len(taken)}"

    def _leaf(self, value: object, name: str) -> Leaf:
        if value is None:
            return NULL
        if isinstance(value, str):
            if value and is_secret_name(name):
                return Leaf(value, HIDDEN)
            return Leaf(value, quoted(self._masker.text(value)))
        if not isinstance(value, bool) and is_secret_name(name):
            return Leaf(value, HIDDEN)
        text = json.dumps(value)
        return Leaf(value, self._masker.text(text) if len(text) >= 4 else text)

    def key(self, key: str) -> str:
        """A key of a map as part of a path."""
        text = folded(printable(self._masker.text(key)), 80)
        return text if text and all(part not in text for part in '. []"') else f'["{text}"]'

    def address(self, address: str) -> str:
        """An address without what is secret in its keys, on one line, at most 300 characters."""
        return folded(printable(self._masker.address(address)), 300)

    def plain(self, text: str) -> str:
        """A text without its secrets, on one line, folded."""
        return folded(printable(self._masker.text(text)))

    def document(self, text: object) -> Tree | None:
        """The tree inside a string that holds a JSON or YAML document; None when it does not."""
        if not isinstance(text, str) or len(text) > LARGEST_DOCUMENT:
            return None
        value = decoded(text)
        return None if value is None else self.tree(value)

    def lines(self, text: str) -> list[str]:
        """The lines of a text, hidden as a whole first: a key may span several."""
        return [printable(line) for line in self._masker.text(text).split("\n")]


def decoded(text: str) -> dict[str, Any] | list[Any] | None:
    """The JSON or YAML document in `text`, or None. YAML with aliases is not read: it can grow without bound."""
    stripped = text.lstrip()
    value: object = None
    try:
        if stripped[:1] in ("{", "["):
            value = json.loads(text)
        elif "\n" in text and ":" in text and not _ALIAS.search(text):
            value = yaml.load(text, _STRINGS)
    except (ValueError, RecursionError, yaml.YAMLError, AttributeError):
        return None
    if _deep(value):
        return None
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return value
    return value if isinstance(value, list) and any(isinstance(item, dict) for item in value) else None


def _deep(value: object) -> bool:
    """Whether a document is nested too deeply to walk."""
    level, depth = [value], 0
    while level and depth <= DEEPEST_DOCUMENT:
        level = [
            item
            for one in level
            if isinstance(one, dict | list)
            for item in (one.values() if isinstance(one, dict) else one)
        ]
        depth += 1
    return bool(level)


def shown(tree: Tree, longest: int = LONGEST) -> str:
    """A tree on one line: leaves as they print, containers in JSON's notation, folded when long.

    Of a block, what is not set is left out: null, "" and containers of such.
    """
    parts: list[str] = []
    _show(tree, parts)
    return folded("".join(parts), longest)


def _show(tree: Tree, parts: list[str]) -> None:
    if isinstance(tree, Leaf):
        parts.append(tree.text)
        return
    parts.append("{" if isinstance(tree, dict) else "[")
    told = [key for key in tree if not empty(tree[key])] if isinstance(tree, dict) else tree
    for index, key in enumerate(told):
        parts.append(", " if index else "")
        if isinstance(tree, dict):
            parts.append(f"{printable(key)}: ")
        _show(tree[key] if isinstance(tree, dict) else key, parts)
    parts.append("}" if isinstance(tree, dict) else "]")


def empty(tree: Tree) -> bool:
    """Whether there is nothing in it to show: null, "", and containers of such."""
    if isinstance(tree, Leaf):
        return tree.raw is None or tree.raw == ""
    return all(empty(item) for item in (tree.values() if isinstance(tree, dict) else tree))


def _at(mask: Any, key: str | int) -> Any:
    if isinstance(mask, dict):
        return mask.get(key)
    return mask[key] if isinstance(mask, list) and isinstance(key, int) and key < len(mask) else None
