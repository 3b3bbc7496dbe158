"""Which paths force a resource to be replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fonderie.sandbox.lifecycle.interface import Path
from fonderie.sandbox.planning.difference import COUNT, Node, Steps, leaves
from fonderie.sandbox.planning.fields import Field, Kind


def replacing_paths(fields: Mapping[str, Field], node: Node) -> list[Path]:
    """The paths of all changes that force replacement, each once; a path ends at the first set, map or length."""
    found = dict.fromkeys(_path(fields, steps) for steps, change in leaves(node) if change.requires_new)
    return list(found)


def _path(fields: Mapping[str, Field], steps: Steps) -> Path:
    return tuple(_steps(fields, steps))


def _steps(fields: Mapping[str, Field], steps: Steps) -> Iterator[str | int]:
    remaining = list(steps)
    while remaining:
        name = str(remaining.pop(0))
        yield name
        field = fields[name]
        if field.kind is not Kind.LIST or not remaining or remaining[0] == COUNT:
            return
        yield int(remaining.pop(0))
        fields = field.children
