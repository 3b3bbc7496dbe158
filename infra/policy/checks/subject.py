"""What a check looks at: a resource, its stack, its environment; and ways to read nested arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.access.access_table import resolve
from infra.settings import Environment
from infra.synthesised import Resource, SynthesisedStack


@dataclass(frozen=True)
class CheckSubject:
    """One resource under a check: its type, its planned values and whom it grants to."""

    resource: Resource
    stack: SynthesisedStack
    env: Environment

    @property
    def type(self) -> str:
        """Terraform's resource type, such as `google_storage_bucket`."""
        return self.resource.type

    @property
    def values(self) -> dict[str, Any]:
        """The resource's arguments in the synthesised stack."""
        return self.resource.values

    def text(self, argument: str) -> str:
        """An argument as text, references to resources of the same stack followed; empty when it is not given."""
        value = self.values.get(argument)
        return "" if value is None else resolve(str(value), self.stack)

    @property
    def members(self) -> list[str]:
        """Members that a grant names, such as `serviceAccount:...`; empty for other types."""
        given = [self.values.get("member"), *(self.values.get("members") or [])]
        return [resolve(str(member), self.stack) for member in given if member]

    @property
    def on_project(self) -> bool:
        """Whether it grants something in the whole project, or in all of an organisation or a folder."""
        return self.type.startswith(("google_project_iam_", "google_folder_iam_", "google_organization_iam_"))


Check = Callable[[CheckSubject], Iterator[str]]


def walk(values: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """(name of the argument, scalar) for every scalar at any depth."""
    if isinstance(values, dict):
        for name, inner in values.items():
            yield from walk(inner, name)
    elif isinstance(values, list):
        for inner in values:
            yield from walk(inner, key)
    else:
        yield key, values


def at(values: Any, path: str) -> list[Any]:
    """What stands at `a.b.c`, in every block where blocks repeat; nothing when nothing was said there."""
    found = [values]
    for part in path.split("."):
        blocks = [block for each in found for block in (each if isinstance(each, list) else [each])]
        found = [block[part] for block in blocks if isinstance(block, dict) and block.get(part) is not None]
    return [one for each in found for one in (each if isinstance(each, list) else [each])]


def blocks(values: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The blocks called `name`: Terraform's JSON has one as a dict, several as a list."""
    return [block for block in at(values, name) if isinstance(block, dict)]


def word(value: Any) -> str:
    """A scalar as Terraform reads it: `True` and `"true"` are the same."""
    return str(value).lower() if isinstance(value, bool) else str(value)
