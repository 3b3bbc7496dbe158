"""When a change is none after all, though the texts differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from fonderie.sandbox.lifecycle.interface import UNKNOWN
from fonderie.sandbox.planning.difference import COUNT, Steps
from fonderie.sandbox.planning.equivalence import recognised
from fonderie.sandbox.planning.fields import AttributeField, FieldKind
from fonderie.sandbox.planning.type_rules import Situation, TypeRules
from fonderie.sandbox.planning.values import comparable, text
from fonderie.sandbox.provider.facts import Fact

_UNSET = re.compile(r"(^|_)UNSPECIFIED$|(^|_)NONE$|^IPV4$")
# Keys that Google adds to maps. Source: what the resources' documentation says is set by the server.
_SERVERS_KEYS = frozenset({"x-goog-version", "project_id", "LOG_EXECUTION_ID"})
_NOTHING = ("", "0", "false")


class Suppression:
    """The suppressions of one resource in one plan. `given` is what the user wrote, `wanted` the same with defaults."""

    def __init__(self, rules: TypeRules, prior: Mapping[str, Any], wanted: Mapping[str, Any], given: Mapping[str, Any]):
        self._rules = rules
        self._prior = prior
        self._wanted = wanted
        self._given = given

    def __call__(self, field: AttributeField, steps: Steps, old: str, new: str) -> bool:
        """Whether the field's suppression drops this change at `steps`, in the field or inside it."""
        if own := self._rules.same.get(field.path):
            return own(Situation(steps, old, new, self._prior, self._wanted, self._given))
        if field.element is not None and field.path.endswith("scopes"):
            return False
        pairs = frozenset(field.fact.suppressed)
        if "*" in pairs and field.kind is FieldKind.LIST:
            return self._reordered(field, steps)
        same = recognised(pairs)
        if same is not None:
            return same(old, new)
        if field.children:
            return self._fills_by_itself(field, steps)
        if field.kind is FieldKind.MAP:
            return self._added_by_the_server(field, steps, new)
        return field.kind.primitive and _means_unset(field, old) and _means_unset(field, new)

    def _added_by_the_server(self, field: AttributeField, steps: Steps, new: str) -> bool:
        """A key that the server adds to a map by itself and the configuration has not; the count when these are all."""
        at = _place(field, steps)
        old, wanted = (_at(one, at) or {} for one in (self._prior, self._wanted))
        if wanted is UNKNOWN:
            return False
        gone = set(old) - set(wanted)
        if steps[-1] != COUNT:
            return steps[-1] in gone and _is_servers(str(steps[-1]))
        return bool(gone) and not set(wanted) - set(old) and all(map(_is_servers, gone))

    def _reordered(self, field: AttributeField, steps: Steps) -> bool:
        """A list that was compared as a whole and called equal when it was empty: one whose order does not count."""
        at = _place(field, steps)
        old, new = (comparable(field, _at(one, at)) for one in (self._prior, self._wanted))
        return bool(sorted(map(_folded, old)) == sorted(map(_folded, new)))

    def _fills_by_itself(self, field: AttributeField, steps: Steps) -> bool:
        """A block that only the server wrote, and in which nothing is switched on."""
        at = _place(field, steps)
        return not _at(self._given, at) and _is_nothing(_at(self._prior, at))


def _place(field: AttributeField, steps: Steps) -> Steps:
    """Where the field itself is, of the place of something inside it."""
    return steps[: field.path.count(".") * 2 + 1]


def _is_servers(key: str) -> bool:
    return key.startswith("goog-") or key in _SERVERS_KEYS


def _folded(value: Any) -> str:
    return json.dumps(value).lower()


def names_nothing(fact: Fact) -> bool:
    """Whether some text stands for nothing: the default, or a member of an enumeration that says so."""
    return fact.default is not None or any(_UNSET.search(text(one)) for one in fact.values.enum or ())


def _means_unset(field: AttributeField, value: str) -> bool:
    """Empty, the default, or the member of an enumeration that stands for nothing."""
    if value in _NOTHING or (field.fact.default is not None and value == text(field.fact.default)):
        return True
    listed = field.fact.values.enum or ()
    return value in listed and _UNSET.search(value) is not None


def _at(value: Any, steps: Steps) -> Any:
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(str(step))
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _is_nothing(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_nothing, value.values()))
    if isinstance(value, list):
        return all(map(_is_nothing, value))
    return value is None or text(value) in _NOTHING or _UNSET.search(text(value)) is not None
