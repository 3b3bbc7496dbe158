"""The difference between a state and a configuration, as the SDK makes it: a tree of changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

from fonderie.sandbox.lifecycle.interface import UNKNOWN
from fonderie.sandbox.planning.fields import AttributeField, FieldKind
from fonderie.sandbox.planning.values import Normalise, by_code, comparable, configured_object, text, zero

COUNT = "#"  # the key under which a list, set or map has the change of its length


@dataclass
class LeafChange:
    """A leaf that changes: old and new as text, for comparison; `was` and `value` are the two themselves."""

    old: str
    new: str
    was: Any = None
    value: Any = None
    unknown: bool = False
    removed: bool = False
    requires_new: bool = False


Node = dict[str | int, Any]
"""Changes by attribute name, index, set code or map key: `LeafChange` at a leaf, else a `Node`. Never empty."""

Steps = tuple[str | int, ...]

_NOT_KNOWN = "\0unknown"  # as new text: not empty, and like no value


@dataclass(frozen=True)
class Rules:
    """What facts and rules add to the plain comparison. `suppressed` says whether a change is none after all, `stored`
    what state keeps of a value, `hashed` what a set's own hash function sees of it."""

    suppressed: Callable[[AttributeField, Steps, str, str], bool]
    stored: Callable[[AttributeField, Any], Any]
    hashed: Normalise


@dataclass(frozen=True)
class Comparison:
    """One run over a resource. `existing`: there is a prior state."""

    rules: Rules
    existing: bool
    customised: frozenset[str] = dataclass_field(default_factory=frozenset)

    def of_object(
        self,
        fields: Mapping[str, AttributeField],
        old: Mapping[str, Any],
        new: Mapping[str, Any],
        at: Steps,
        everything: bool,
    ) -> Node:
        """The changes of an object's fields. `everything`: record what stays the same, too, as within a set."""
        node: Node = {}
        for name, one in fields.items():
            found = self.of(one, old.get(name), new.get(name), (*at, name), everything)
            if found is not None:
                node[name] = found
        return node

    def of(self, field: AttributeField, old: Any, new: Any, at: Steps, everything: bool) -> Node | LeafChange | None:
        """The change of one field; None for none."""
        compare = {FieldKind.LIST: self._list, FieldKind.SET: self._set, FieldKind.MAP: self._map}.get(
            field.kind, self._primitive
        )
        found = compare(field, old, new, at, everything)
        return self._suppress(field, found, at, everything) if found and field.fact.suppresses else (found or None)

    def _suppress(
        self, field: AttributeField, found: Node | LeafChange, at: Steps, everything: bool
    ) -> Node | LeafChange | None:
        if isinstance(found, LeafChange):
            if not self.rules.suppressed(field, at, found.old, found.new):
                return found
            return LeafChange(found.old, found.old, found.was, found.was) if everything else None
        kept = {key: self._suppress(field, one, (*at, key), everything) for key, one in found.items()}
        return {key: one for key, one in kept.items() if one is not None} or None

    def _primitive(self, field: AttributeField, old: Any, new: Any, at: Steps, everything: bool) -> LeafChange | None:
        unknown = new is UNKNOWN
        if new is not None and not unknown and field.fact.normalises:
            new = self.rules.stored(field, new)
        present = zero(field) if new is None and old is not None else new
        before, after = text(old), _NOT_KNOWN if unknown else text(present)
        if before == after and not everything and not unknown and (before or self.existing or not field.computed):
            return None
        removed = old is not None and new is None
        if removed and field.computed:
            return None
        return self._final(field, LeafChange(before, after, old, present, unknown, removed))

    def _list(self, field: AttributeField, old: Any, new: Any, at: Steps, everything: bool) -> Node | None:
        unknown = new is UNKNOWN
        if old is not None and new is None and field.computed:
            return None
        olds, news = old or [], [] if unknown else new or []
        if unknown:
            return {COUNT: LeafChange(str(len(olds)), "", unknown=True, requires_new=field.force_new)}
        if not everything and new is not None and comparable(field, olds) == comparable(field, news):
            return None
        node: Node = {}
        computed = not olds and not news and field.computed
        if len(olds) != len(news) or computed or everything:
            count = LeafChange("" if computed else str(len(olds)), "" if computed else str(len(news)))
            self._put(node, COUNT, self._final(_counting(field), count))
        for index in range(max(len(olds), len(news))):
            before, after = _at(olds, index), _at(news, index)
            self._put(node, index, self._element(field, before, after, (*at, index), everything))
        return node

    def _set(self, field: AttributeField, old: Any, new: Any, at: Steps, everything: bool) -> Node | None:
        unknown = new is UNKNOWN
        if old is not None and new is None and field.computed:
            return None
        hashed = self.rules.hashed if field.fact.own_hash else None
        olds = by_code(field, old or [], hashed)
        news = by_code(field, [] if unknown else new or [], hashed)
        if not everything and not unknown and new is not None and olds.keys() == news.keys():
            return None
        counting = _counting(field)
        if unknown or (field.computed and new is None):
            before = str(len(olds)) if olds or old is not None else ""
            return {COUNT: self._final(counting, LeafChange(before, "", unknown=True))}
        node: Node = {}
        if len(olds) != len(news) or everything:
            self._put(node, COUNT, self._final(counting, LeafChange(str(len(olds)), str(len(news)))))
        for code in [*(code for code in olds if code not in news), *news]:
            found = self._element(field, olds.get(code), news.get(code), (*at, code), True)
            self._put(node, code, found)
        return node

    def _element(
        self, field: AttributeField, old: Any, new: Any, at: Steps, everything: bool
    ) -> Node | LeafChange | None:
        if field.element is not None:
            return self.of(field.element, old, new, at, everything)
        if new is UNKNOWN:
            new = dict.fromkeys(field.children, UNKNOWN)
        if new is None and field.kind is FieldKind.LIST:
            new = configured_object(field.children, None)  # a default counts even in a block that is not there
        return self.of_object(field.children, old or {}, new or {}, at, everything)

    def _map(self, field: AttributeField, old: Any, new: Any, at: Steps, everything: bool) -> Node | None:
        unknown = new is UNKNOWN
        olds, news = old or {}, {} if unknown else new or {}
        changed = len(olds) != len(news) and not (olds and not news and field.computed)
        computed = not olds and not news and field.computed and old is None
        node: Node = {}
        if changed or computed or unknown:
            open_ = computed or unknown
            count = LeafChange("" if open_ else str(len(olds)), "" if open_ else str(len(news)))
            self._put(node, COUNT, self._final(_counting(field, field.computed or unknown), count))
        if (new is None and field.computed) or unknown:
            return node
        for key, value in news.items():
            if key not in olds or text(olds[key]) != text(value) or everything:
                self._put(
                    node,
                    key,
                    self._final(field, LeafChange(text(olds.get(key)), text(value), olds.get(key), value)),
                )
        for key in [key for key in olds if key not in news]:
            self._put(node, key, self._final(field, LeafChange(text(olds[key]), "", olds[key], removed=True)))
        return node

    def _put(self, node: Node, key: str | int, found: Node | LeafChange | None) -> None:
        if found:
            node[key] = found

    def _final(self, field: AttributeField, change: LeafChange) -> LeafChange | None:
        """What computed and force-new make of a change."""
        empty = not change.removed and change.new == ""
        if field.computed and empty:
            change.unknown = True
        if field.force_new:
            change.requires_new = change.old != change.new or change.unknown
        if field.computed and empty and change.old != "" and field.name not in self.customised:
            return None  # a value that is there already, and nothing else is asked for
        return change


def leaves(node: Node, at: Steps = ()) -> Iterator[tuple[Steps, LeafChange]]:
    """Every change with its place."""
    for key, found in node.items():
        if isinstance(found, LeafChange):
            yield (*at, key), found
        else:
            yield from leaves(found, (*at, key))


def _counting(field: AttributeField, computed: bool | None = None) -> AttributeField:
    return AttributeField(
        field.name,
        field.path,
        FieldKind.INT,
        computed=field.computed if computed is None else computed,
        force_new=field.force_new,
    )


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None
