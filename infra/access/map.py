"""A map of an environment as one HTML page: stacks and their resources, identities, and who reaches what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fonderie.core.page import render
from fonderie.core.resource_types import resource_type
from infra.access.access_table import GRANT, AccessGrant, Level, display_identity, grants, name_of, short_name
from infra.synthesised import Resource, SynthesisedStack

COLUMN, ROW, TOP, BOX = 250, 19, 70, 220  # pixels
MANY = 6  # more resources of a type than this share a row
ORDER = ("bootstrap", "foundation", "data", "runtime", "delivery")
COLOURS = {Level.READ: "#2f7d5b", Level.USE: "#3b6fb6", Level.WRITE: "#b7791f", Level.ADMIN: "#b83232"}


@dataclass(frozen=True)
class Node:
    """A resource or an identity with its place on the map, in pixels."""

    key: str
    label: str
    title: str
    x: int
    y: int


@dataclass(frozen=True)
class Edge:
    """A line from an identity to what it may reach."""

    path: str
    colour: str
    title: str
    identity: str


def _ordered(stacks: Sequence[SynthesisedStack]) -> list[SynthesisedStack]:
    def place(stack: SynthesisedStack) -> tuple[int, str]:
        kind = stack.name.rpartition("-")[2]
        return (ORDER.index(kind) if kind in ORDER else len(ORDER), stack.name)

    return sorted(stacks, key=place)


def _shown(stack: SynthesisedStack) -> list[Resource]:
    """What is drawn: everything that is not itself a grant."""
    return [resource for resource in stack.resources if not GRANT.match(resource.type)]


def _label(resource: Resource) -> str:
    name = resource.path.partition("/")[2] or resource.name
    return f"{resource_type(resource.type).word}: {name}"


def _rows(stack: SynthesisedStack) -> list[tuple[str, str, list[str]]]:
    """(label, title, keys) of each row: a resource, or more than `MANY` of a type together."""
    by_type: dict[str, list[Resource]] = defaultdict(list)
    for resource in sorted(_shown(stack), key=_label):
        by_type[resource.type].append(resource)
    rows = []
    for kind, resources in sorted(by_type.items()):
        keys = [f"{stack.name}/{resource.address}" for resource in resources]
        if len(resources) > MANY:
            title = "\n".join(resource.path for resource in resources)
            rows.append((f"{len(resources)} x {resource_type(kind).word}", title, keys))
        else:
            rows += [(_label(one), one.path, [key]) for one, key in zip(resources, keys, strict=True)]
    return rows


def _resource_nodes(stacks: Sequence[SynthesisedStack], left: int) -> tuple[dict[str, list[Node]], dict[str, Node]]:
    """(rows by stack, the row of each resource by its key)."""
    columns, places = {}, {}
    for column, stack in enumerate(stacks):
        x = left + column * COLUMN
        nodes = []
        for row, (label, title, keys) in enumerate(_rows(stack)):
            nodes.append(Node(keys[0], label, title, x, TOP + row * ROW))
            places.update(dict.fromkeys(keys, nodes[-1]))
        columns[stack.name] = nodes
    return columns, places


def _identity_nodes(found: Sequence[AccessGrant]) -> dict[str, Node]:
    names = sorted({grant.identity for grant in found}, key=display_identity)
    return {name: Node(name, display_identity(name), name, 10, TOP + row * ROW) for row, name in enumerate(names)}


def _targets(stacks: Sequence[SynthesisedStack]) -> dict[tuple[str, str], str]:
    """(type, name) of a resource -> the key of its node."""
    return {
        (resource.type, short_name(name_of(resource))): f"{stack.name}/{resource.address}"
        for stack in stacks
        for resource in _shown(stack)
    }


def _edges(
    found: Sequence[AccessGrant], identities: dict[str, Node], places: dict[str, Node], keys: dict[tuple[str, str], str]
) -> list[Edge]:
    edges = []
    for grant in found:
        target = places.get(keys.get((grant.target_type, grant.target), ""))
        if target is None:
            continue
        start = identities[grant.identity]
        x0, y0, x1, y1 = start.x + BOX, start.y - 4, target.x - 6, target.y - 4
        bend = (x0 + x1) // 2
        edges.append(
            Edge(
                f"M{x0} {y0} C{bend} {y0} {bend} {y1} {x1} {y1}",
                COLOURS[grant.level],
                f"{start.label}: {grant.role} on {grant.target}",
                grant.identity,
            )
        )
    return edges


def page(environment: str, stacks: Sequence[SynthesisedStack]) -> str:
    """The map of `environment` as a self-contained HTML page: SVG, the access table, no script from elsewhere."""
    ordered = _ordered(stacks)
    found = grants(ordered)
    identities = _identity_nodes(found)
    columns, places = _resource_nodes(ordered, left=BOX + 140)
    by_identity: dict[str, list[AccessGrant]] = defaultdict(list)
    for grant in found:
        by_identity[grant.identity].append(grant)
    rows = max([len(identities), *(len(nodes) for nodes in columns.values())], default=0)
    return render(
        Path(__file__).with_name("map.html.j2"),
        title=f"{environment}: who may do what",
        environment=environment,
        columns=columns,
        identities=list(identities.values()),
        edges=_edges(found, identities, places, _targets(ordered)),
        by_identity={display_identity(name): sorted_grants for name, sorted_grants in by_identity.items()},
        colours={str(level): colour for level, colour in COLOURS.items()},
        width=BOX + 140 + COLUMN * len(ordered),
        height=TOP + ROW * rows + 20,
        counts={stack.name: len(stack.resources) for stack in ordered},
        resources=sum(len(stack.resources) for stack in ordered),
    )
