"""The smallest and the fullest configuration of a resource type that its facts allow: for tests of every type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fonderie.sandbox.planning.fields import AttributeField, FieldKind
from fonderie.sandbox.planning.validation import complaint, faults
from fonderie.sandbox.provider.facts import Fact

TEXTS = (
    "abc-def",
    "abcdef",
    "abcdefgh",
    "ABC",
    "10.0.0.0/24",
    "3600s",
    "2030-01-02T03:04:05Z",
    "{}",
    "[]",
    "aGVsbG8=",
    "user:a@b.co",
    "03:00",
    "example.com.",
    "a.googleapis.com",
    "projects/demo-proj/global/networks/n",
    "projects/demo-proj/serviceAccounts/a-bcdef@demo-proj.iam.gserviceaccount.com",
    "1.5",
    "folder/",
    "-",
)
DEPTH = 9
NUMBERS = (1, 10, 100, 0, 3600000, 64512)


class Builder:
    """Builds one configuration; `chosen` are keys (`a.0.b`) that a combination of arguments asks for."""

    def __init__(self, fields: Mapping[str, AttributeField]) -> None:
        self._fields = fields
        self._chosen: set[str] = set()

    def build(self) -> dict[str, Any]:
        """Add what each complaint about a combination asks for until there is none."""
        config = self._object(self._fields, "")
        for _ in range(20):
            asked = next((key for key in self._asked(self._fields, config, config, "")), None)
            if asked is None:
                return config
            self._chosen.add(asked)
            config = self._object(self._fields, "")
        raise AssertionError(f"no configuration: {faults(self._fields, config)}")

    def _object(self, fields: Mapping[str, AttributeField], at: str) -> dict[str, Any]:
        made = {}
        for name, field in fields.items():
            key = f"{at}{name}"
            inside = any(one == key or one.startswith(f"{key}.") for one in self._chosen)
            if field.required or (field.block and field.fact.min_items and field.configurable) or inside:
                made[name] = self._value(field, key)
        return made

    def _value(self, field: AttributeField, key: str) -> Any:
        if field.kind.primitive:
            return sample(field.fact, field.kind, key)
        if field.kind is FieldKind.MAP:
            return {"key": "value"}
        count = max(1, field.fact.min_items)
        if field.element is not None:
            return [sample(self._of_elements(field), field.element.kind, key)] * count
        return [self._object(field.children, f"{key}.{index}.") for index in range(count)]

    @staticmethod
    def _of_elements(field: AttributeField) -> Fact:
        assert field.element
        return field.element.fact if field.fact.elements_validate else field.fact

    def _asked(
        self, fields: Mapping[str, AttributeField], value: Mapping[str, Any], root: dict[str, Any], at: str
    ) -> Any:
        for name, field in fields.items():
            fact, key = field.fact, f"{at}{name}"
            there = [one for one in (key, *fact.exactly_one_of, *fact.at_least_one_of) if present(root, one)]
            if (fact.exactly_one_of or fact.at_least_one_of) and not there:
                yield key
            if value.get(name) is not None:
                yield from (one for one in fact.required_with if not present(root, one))
                if field.children:
                    for index, one in enumerate(value[name]):
                        yield from self._asked(field.children, one, root, f"{key}.{index}.")


class Fullest(Builder):
    """Every argument but those that another excludes, are deprecated or written only."""

    def __init__(self, fields: Mapping[str, AttributeField]) -> None:
        super().__init__(fields)
        self._excluded: set[str] = set()

    def build(self) -> dict[str, Any]:
        return self._object(self._fields, "")

    def _object(self, fields: Mapping[str, AttributeField], at: str) -> dict[str, Any]:
        made = {}
        for name, field in fields.items():
            key, fact = f"{at}{name}", field.fact
            left_out = fact.write_only or fact.deprecated or name.endswith("_wo_version") or key.count(".") > DEPTH
            if not field.configurable or key in self._excluded or (left_out and not field.required):
                continue
            self._excluded |= {one for one in (*fact.conflicts_with, *fact.exactly_one_of) if one != key}
            made[name] = self._value(field, key)
        return made


def sample(fact: Fact, kind: FieldKind, key: str) -> Any:
    """A value that the facts accept."""
    if kind is FieldKind.BOOL:
        return True
    if fact.values.enum:
        return next(one for one in fact.values.enum if one != "")
    low = int(fact.values.range[0]) if fact.values.range else 1
    candidates = (low, *NUMBERS) if kind in (FieldKind.INT, FieldKind.FLOAT) else TEXTS
    for one in candidates:
        if complaint(fact.values, one, key) is None:
            return one
    raise AssertionError(f"no sample for {key}: {fact.values}")


def present(root: Any, key: str) -> bool:
    """Whether `a.0.b` is in a configuration."""
    at = root
    for part in key.split("."):
        at = (at[int(part)] if int(part) < len(at) else None) if isinstance(at, list) else (at or {}).get(part)
        if at is None:
            return False
    return True


def minimal(fields: Mapping[str, AttributeField]) -> dict[str, Any]:
    """The smallest configuration of a type with these fields, unprotected."""
    config = Builder(fields).build()
    return {**config, "deletion_protection": False} if "deletion_protection" in fields else config


def fullest(fields: Mapping[str, AttributeField]) -> dict[str, Any]:
    """The fullest configuration of a type with these fields, unprotected."""
    config = Fullest(fields).build()
    config.pop("deletion_policy", None)
    return {**config, "deletion_protection": False} if "deletion_protection" in fields else config
