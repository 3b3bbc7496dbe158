"""When a change is none after all, though the texts differ."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from infra.sandbox.planning.difference import Steps
from infra.sandbox.planning.fields import Field, Kind
from infra.sandbox.planning.same import recognised
from infra.sandbox.planning.special import Situation, TypeRules
from infra.sandbox.planning.values import comparable, text

_UNSET = re.compile(r"(^|_)UNSPECIFIED$|(^|_)NONE$")
_NOTHING = ("", "0", "false")


class Suppression:
    """The suppressions of one resource in one plan. `given` is what the user wrote, `wanted` the same with defaults."""

    def __init__(self, rules: TypeRules, prior: Mapping[str, Any], wanted: Mapping[str, Any], given: Mapping[str, Any]):
        self._rules = rules
        self._prior = prior
        self._wanted = wanted
        self._given = given

    def __call__(self, field: Field, steps: Steps, old: str, new: str) -> bool:
        """Whether the field's suppression drops this change at `steps`, in the field or inside it."""
        if own := self._rules.same.get(field.path):
            return own(Situation(steps, old, new, self._prior, self._wanted, self._given))
        if field.element is not None and field.path.endswith("scopes"):
            return False
        pairs = frozenset(field.fact.suppressed)
        if "*" in pairs and field.kind is Kind.LIST:
            return self._reordered(field, steps)
        same = recognised(pairs)
        if same is not None:
            return same(old, new)
        if field.children:
            return self._fills_by_itself(field, steps)
        return field.kind.primitive and _means_unset(field, old) and _means_unset(field, new)

    def _reordered(self, field: Field, steps: Steps) -> bool:
        """A list that was compared as a whole and called equal when it was empty: one whose order does not count."""
        at = steps[: field.path.count(".") * 2 + 1]
        old, new = (comparable(field, _at(one, at)) for one in (self._prior, self._wanted))
        return bool(sorted(map(_folded, old)) == sorted(map(_folded, new)))

    def _fills_by_itself(self, field: Field, steps: Steps) -> bool:
        """A block that only the server wrote, and in which nothing is switched on."""
        depth = field.path.count(".") * 2 + 1
        at = steps[:depth]
        return not _at(self._given, at) and _is_nothing(_at(self._prior, at))


def _folded(value: Any) -> str:
    return json.dumps(value).lower()


def _means_unset(field: Field, value: str) -> bool:
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
