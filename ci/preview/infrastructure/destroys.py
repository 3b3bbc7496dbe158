"""What is destroyed or replaced: why, what is lost with it, and what depends on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ci.preview.infrastructure.dependents import Cause, Families, Key, Place, names
from ci.preview.masking.printable import apart
from ci.preview.masking.values import Reader
from ci.preview.report import AttributeChange, Loss
from fonderie.core.resource_types import resource_type
from fonderie.terraform.plan import Action, ResourceChange, StackPlan
from fonderie.terraform.references import referred, without_keys

Attributes = dict[int, list[AttributeChange]]  # by the identity of the change: an address may be there twice

_REASONS = {
    "replace_because_tainted": "its last creation failed half-way (tainted)",
    "replace_by_request": "asked for with -replace",
    "replace_by_triggers": "something it follows (replace_triggered_by) changes",
    "delete_because_no_resource_config": "no longer in the configuration",
    "delete_because_no_module": "its module is no longer in the configuration",
    "delete_because_wrong_repetition": "`count` or `for_each` was added or taken away",
    "delete_because_count_index": "its index is beyond `count`",
    "delete_because_each_key": "its key is no longer in `for_each`",
    "delete_because_no_move_target": "it was moved to an address that is not in the configuration",
}


def reason(change: ResourceChange, attributes: Iterable[AttributeChange], cause: Cause | None, reader: Reader) -> str:
    """Why it is destroyed or replaced, in words; `cause` when it only follows something else."""
    if cause:
        parent = reader.address(cause.parent.change.address)
        return f"only because {parent} is replaced: it changes its {', '.join(map(reader.key, cause.attributes))}"
    forcing = [_forcing(item) for item in attributes if item.forces]
    if change.reason in ("", "replace_because_cannot_update") and change.action is Action.REPLACE:
        more = f" and {len(forcing) - 3} more" if len(forcing) > 3 else ""
        if forcing:
            return f"{', '.join(forcing[:3])}{more} {'force' if len(forcing) > 1 else 'forces'} replacement"
        paths = [reader.plain(".".join(map(str, path))) for path in change.replace_paths]
        return f"{', '.join(paths[:3])} forces replacement" if paths else "can't be updated in place"
    if change.deposed:
        return f"left over from an earlier replacement (deposed {reader.plain(change.deposed)})"
    return _REASONS.get(change.reason) or reader.plain(change.reason.replace("_", " ")) or "Terraform gives no reason"


def _forcing(item: AttributeChange) -> str:
    if item.lines:
        return item.path
    before, after = apart(item.before or "not set", item.after or "not set")
    return f"{item.path} {before} → {after}"


def losses(
    plans: list[StackPlan], attributes: Attributes, families: Families, reader: Reader, renewed: Mapping[int, str]
) -> list[Loss]:
    """Every destroy and replacement of every stack: the stateful first, and under each thing what goes with it.

    `renewed` says of which changes a new version takes the place, and what it is a version of.
    """
    index = _Index(plans)
    lost = {place.key: place for plan in plans for place in (Place(plan, one) for one in plan.changes) if _goes(place)}
    children: dict[Key | None, list[Place]] = defaultdict(list)
    for place in lost.values():
        above = _above(place, families)
        children[above.key if above else None].append(place)
    found = {}
    for key, place in lost.items():
        inside = attributes.get(id(place.change), [])
        told = [*families.inside(*place), *children[key]]
        found[key] = _loss(
            place, inside, told, index, families.cause(*place), renewed.get(id(place.change), ""), reader
        )
    return _in_order(found, {key: [one.key for one in places] for key, places in children.items()})


def _goes(place: Place) -> bool:
    return place.change.action.loses


def _above(place: Place, families: Families) -> Place | None:
    """What it is told below: what it follows, or what it lies in."""
    cause = families.cause(*place)
    return cause.parent if cause else families.container(*place)


def _in_order(found: dict[Key, Loss], children: dict[Key | None, list[Key]]) -> list[Loss]:
    """Parents before their children, families with something stateful first, destroys before replacements."""
    families: list[list[Loss]] = []
    left = dict(found)
    for root in [*children.get(None, ()), *found]:  # then those that follow each other in a circle
        family, waiting = [], [(root, 0)]
        while waiting:
            key, depth = waiting.pop()
            if key in left:
                family.append(left.pop(key).model_copy(update={"depth": depth}))
                waiting += [(child, depth + 1) for child in reversed(children.get(key, ()))]
        if family:
            families.append(family)
    families.sort(key=_importance)
    return [loss for family in families for loss in family]


def _importance(family: list[Loss]) -> tuple[bool, bool, str, str, str]:
    """The stateful first, destroys before replacements; things of a type that stand alone are neighbours."""
    first, replaced = family[0], family[0].action is Action.REPLACE
    alone = (first.environment, first.stack, first.type) if len(family) == 1 else ("", "", "")
    return not any(one.stateful for one in family), replaced, *alone


def _loss(
    place: Place,
    inside: list[AttributeChange],
    below: list[Place],
    index: _Index,
    cause: Cause | None,
    renewed: str,
    reader: Reader,
) -> Loss:
    plan, change = place
    protected, refused = _protection(change)
    lost = "" if renewed else resource_type(change.type).lost
    silent = [] if _abandoned(change) else [one for one in below if not one.change.action.loses]
    unplanned = sorted({_from(plan, one, reader) for one in silent})
    needing = {_shown(other, reader) for other in index.dependents(plan, change)}
    dependents = sorted(needing - {_from(plan, one, reader) for one in below})
    return Loss(
        environment=plan.environment,
        stack=plan.stack,
        address=shown_address(change, reader),
        type=reader.plain(change.type),
        action=change.action,
        why=reason(change, inside, cause, reader),
        parent=_from(plan, cause.parent, reader) if cause else "",
        stateful=bool(lost),
        lost=lost,
        unplanned=tuple(unplanned),
        dependents=tuple(dependents),
        protected=protected,
        refused=refused,
        renewed=renewed,
    )


def _abandoned(change: ResourceChange) -> bool:
    """Whether its destroy leaves it in the cloud."""
    return isinstance(change.before, dict) and change.before.get("deletion_policy") == "ABANDON"


def _protection(change: ResourceChange) -> tuple[str, bool]:
    """The protection in state, or nothing, and whether it is sure to refuse. Source: the provider's documentation."""
    before = change.before if isinstance(change.before, dict) else {}
    if _abandoned(change):
        return "left in the cloud (deletion_policy ABANDON)", False
    for name in ("deletion_protection", "deletion_protection_enabled"):
        if before.get(name) is True:
            return f"{name} refuses it until it is off in state", True
    if before.get("deletion_policy") == "PREVENT":
        return "deletion_policy PREVENT refuses it until it is changed in state", True
    kind = resource_type(change.type)
    if kind.contents and not before.get(kind.takes_along):
        return f"fails while it holds {kind.contents} ({kind.takes_along} is off)", False
    return "", False


def _shown(name: str, reader: Reader) -> str:
    """An address, or a stack and an address."""
    stack, colon, address = name.partition(": ")
    return f"{stack}: {reader.address(address)}" if colon and "[" not in stack else reader.address(name)


def _from(plan: StackPlan, place: Place, reader: Reader) -> str:
    """An address, with its stack when that is another."""
    address = shown_address(place.change, reader)
    return address if place.plan.stack == plan.stack else f"{place.plan.stack}: {address}"


def shown_address(change: ResourceChange, reader: Reader) -> str:
    """A change's address as it may be seen, with the mark of a deposed object."""
    address = reader.address(change.address)
    return f"{address} (deposed {reader.plain(change.deposed)[:12]})" if change.deposed else address


class _Index:
    """Who refers to whom: by the configuration inside a stack, by name between the stacks of an environment."""

    def __init__(self, plans: list[StackPlan]) -> None:
        self._referrers: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._holders: dict[tuple[str, str], set[tuple[str, str, str]]] = defaultdict(set)
        for plan in plans:
            for address in plan.expressions:
                for name in referred(plan.expressions, address):
                    self._referrers[plan.stack, name].add(address)
        wanted = {(plan.environment, name) for plan in plans for change in plan.changes if change.action.loses
                  for name in names(change.type, change.before)}  # fmt: skip
        if wanted:
            for plan in plans:
                for change in plan.changes:
                    for key, text in _texts(change.after if change.after is not None else change.before, "", 0):
                        if (plan.environment, text) in wanted:
                            self._holders[plan.environment, text].add((plan.stack, change.address, key))

    def dependents(self, plan: StackPlan, change: ResourceChange) -> set[str]:
        """Addresses (with the stack, if another) of what refers to it; replaced things' followers included."""
        base = without_keys(change.address)
        found = set(self._referrers.get((plan.stack, base), ()))
        words = set(change.type.split("_")[1:])
        for name in names(change.type, change.before):
            for stack, address, key in self._holders.get((plan.environment, name), ()):
                if address == change.address and stack == plan.stack:
                    continue
                if len(name) >= 24 or "@" in name or words & set(key.split("_")):
                    found.add(address if stack == plan.stack else f"{stack}: {address}")
        return found - {base, change.address}


def _texts(value: Any, key: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif depth < 12 and isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, name, depth + 1)
    elif depth < 12 and isinstance(value, list):
        for item in value:
            yield from _texts(item, key, depth + 1)
