"""Ways to look at synthesised stacks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

Stack = dict[str, Any]
REFERENCE = re.compile(r"\$\{(?:data\.)?(google_\w+)\.([\w-]+)")


def resources(stack: Stack) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Type, logical id and arguments of each resource; what cdktf adds (`//`) left out."""
    for kind, instances in stack.get("resource", {}).items():
        for name, arguments in instances.items():
            yield kind, name, {key: value for key, value in arguments.items() if key != "//"}


def counts(stack: Stack) -> Counter[str]:
    """How many of each type, without the provider's prefix."""
    return Counter(kind.removeprefix("google_") for kind, _, _ in resources(stack))


def one(stack: Stack, kind: str, **values: Any) -> dict[str, Any]:
    """The only resource of a type with these values."""
    found = [
        arguments
        for each, _, arguments in resources(stack)
        if each == f"google_{kind}" and all(arguments.get(key) == value for key, value in values.items())
    ]
    assert len(found) == 1, f"{len(found)} of {kind} with {values}"
    return found[0]


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that is not a container, and every empty container, with its path."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, str(index)))
    else:
        yield path, value
