"""What goes with a destroyed or replaced thing: those replaced only because of it, and those inside it.

A replacement passes on by reference (the child's `cluster` is the parent's id, known only after the apply) or by name
(both name it, and both names move). What lies inside a thing in Google's hierarchy goes with it even when Terraform
does not plan that, because the child names its parent by a name that stays.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ci.preview.masking.values import same
from fonderie.core.resource_types import resource_types
from fonderie.terraform.plan import Action, ResourceChange, StackPlan
from fonderie.terraform.references import keys_of, without_keys

SHORTEST_NAME = 6
_NAMES = ("id", "name", "self_link", "email", "dataset_id", "secret_id", "repository_id", "topic")

Key = int


class Place(NamedTuple):
    """A change, and where it is."""

    plan: StackPlan
    change: ResourceChange

    @property
    def key(self) -> Key:
        """Unique over all plans: an address may be there twice, with a deposed object or in a plan that is odd."""
        return id(self.change)


class Cause(NamedTuple):
    """Why something is replaced that would not be for itself: what it follows, and by which attributes."""

    parent: Place
    attributes: tuple[str, ...]


def names(kind: str, value: Any) -> Iterator[str]:
    """What others may call a resource of a type by, once each."""
    if isinstance(value, dict):
        keys = (*_NAMES, "member") if kind == "google_service_account" else _NAMES
        found = [text for key in keys if isinstance(text := value.get(key), str)]
        if kind == "google_storage_bucket":  # as its grants and objects keep it
            found += [f"b/{text}" for text in found if "/" not in text]
        yield from dict.fromkeys(text for text in found if len(text) >= SHORTEST_NAME)


class Families:
    """Parents and children among the changes of all plans."""

    def __init__(self, plans: Iterable[StackPlan]) -> None:
        self._all = [Place(plan, change) for plan in plans for change in plan.changes]
        self._lost = [place for place in self._all if place.change.action.loses and not place.change.deposed]
        self._by_address: dict[tuple[str, str, str], list[Place]] = defaultdict(list)
        self._by_name: dict[tuple[str, str], list[Place]] = defaultdict(list)
        for place in self._lost:
            address = without_keys(place.change.address)
            self._by_address[place.plan.environment, place.plan.stack, address].append(place)
            for name in names(place.change.type, place.change.before):
                self._by_name[place.plan.environment, name].append(place)
        self._inside: dict[Key, list[Place]] = defaultdict(list)
        self._containers: dict[Key, Place] = {}
        self._find_insides()

    def cause(self, plan: StackPlan, change: ResourceChange) -> Cause | None:
        """What a replacement follows; None when it has a reason of its own."""
        if change.action is not Action.REPLACE or change.reason not in ("", "replace_because_cannot_update"):
            return None
        found = [(self._parent(Place(plan, change), path), path) for path in change.replace_paths if path]
        if not found or any(parent is None for parent, _ in found):
            return None
        first = found[0][0]
        attributes = dict.fromkeys(str(path[0]) for _, path in found)
        return Cause(first, tuple(attributes)) if first else None

    def inside(self, plan: StackPlan, change: ResourceChange) -> list[Place]:
        """What lies directly or deeper inside something that is lost."""
        return self._inside.get(Place(plan, change).key, [])

    def container(self, plan: StackPlan, change: ResourceChange) -> Place | None:
        """The lost thing inside which a change lies, the closest."""
        return self._containers.get(Place(plan, change).key)

    def _parent(self, child: Place, path: Sequence[str | int]) -> Place | None:
        """The replaced thing whose replacement changes the attribute at `path`."""
        key = str(path[0])
        before, after = (_at(value, path) for value in (child.change.before, child.change.after))
        unknown = _unknown(child.change.unknown, path)
        if not unknown and same(before, after):
            return None
        candidates = [*(self._referred(child, key) if unknown else ()), *self._named(child, before, after, unknown)]
        candidates = [one for one in candidates if one.key != child.key and one.change.action is Action.REPLACE]
        return min(candidates, key=lambda one: _distance(one, child, key), default=None)

    def _referred(self, child: Place, key: str) -> Iterator[Place]:
        """Lost things that the attribute's expression names, or that a module has which it names."""
        of_it = child.plan.expressions.get(without_keys(child.change.address), {})
        for address in sorted(of_it.get(key, ())):
            place = (child.plan.environment, child.plan.stack)
            if address.split(".")[-2:-1] == ["module"]:
                yield from (one for one in self._lost if one.plan is child.plan and _in_module(one, address))
            yield from self._by_address.get((*place, address), ())

    def _named(self, child: Place, before: Any, after: Any, unknown: bool) -> Iterator[Place]:
        """Lost things of the environment that the attribute names, and whose new name it takes."""
        if isinstance(before, str):
            for one in self._by_name.get((child.plan.environment, before), ()):
                if unknown or (isinstance(after, str) and after in names(one.change.type, one.change.after)):
                    yield one

    def _find_insides(self) -> None:
        """One pass over every change, by each beginning of its id."""
        holders: dict[tuple[str, str], list[Place]] = defaultdict(list)
        for one in self._lost:
            for name in {_text(one.change.before, "id"), _text(one.change.before, "name")} - {""}:
                holders[one.plan.environment, name].append(one)
        for child in self._all if holders else ():
            for above in _above(child.change):  # the closest last
                for one in holders.get((child.plan.environment, above.name), ()):
                    if one.key != child.key and above.of(one.change):
                        self._inside[one.key].append(child)
                        self._containers[child.key] = one


def _in_module(place: Place, module: str) -> bool:
    return without_keys(place.change.address).startswith(f"{module}.")


class _Above(NamedTuple):
    """A name that may be a container's: a beginning of the child's id, or what its attribute says."""

    name: str
    type: str = ""

    def of(self, parent: ResourceChange) -> bool:
        """Whether it is this one's."""
        return parent.type == self.type if self.type else _text(parent.before, "id") == self.name and "/" in self.name


def _above(child: ResourceChange) -> Iterator[_Above]:
    before = child.before if isinstance(child.before, dict) else {}
    text = _text(before, "id")
    for index, char in enumerate(text[:2_000]):
        if char in "/ " and index > SHORTEST_NAME:
            yield _Above(text[:index])
    for start, attribute, parent in _children():
        value = before.get(attribute)
        if child.type.startswith(start) and child.type != parent and isinstance(value, str):
            yield _Above(value.removeprefix("b/"), parent)
            yield _Above(value.rpartition("/")[2], parent)


@functools.cache
def _children() -> tuple[tuple[str, str, str], ...]:
    """Beginning of a type whose ids do not lie within their parent's, the argument that names the parent, its type."""
    return tuple((start, key, row.name) for row in resource_types().values() for start, key in row.children.items())


def _text(value: Any, key: str) -> str:
    return found if isinstance(value, dict) and isinstance(found := value.get(key), str) else ""


def _at(value: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        if isinstance(value, dict):
            value = value.get(str(part))
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def _unknown(unknown: Any, path: Sequence[str | int]) -> bool:
    for part in path:
        if unknown is True:
            return True
        unknown = _at(unknown, (part,))
    return unknown is True


def _distance(parent: Place, child: Place, attribute: str) -> tuple[bool, bool, bool, str]:
    """The likelier of several: the same instance's, the one the attribute is called after, the same stack's."""
    kinds = set(parent.change.type.split("_")[1:])
    return (
        keys_of(parent.change.address) != keys_of(child.change.address),
        not kinds & set(attribute.split("_")),
        parent.plan is not child.plan,
        parent.change.address,
    )
