"""Single mutations of a plan's JSON and of a synthesised stack, and the few of them that have no effect."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ci.preview.fingerprint import computed

Path = tuple[str | int, ...]
Pair = tuple[dict[str, Any], dict[str, Any]]


@dataclass(frozen=True)
class Mutation:
    """What was done where: in the plan, or in the configuration that it is the plan of."""

    plan: bool
    how: str
    path: Path


def mutations(rng: random.Random, pair: Pair) -> tuple[Pair, Mutation]:
    """The pair with one place of it changed."""
    plan = rng.random() < 0.5
    side = copy.deepcopy(pair[0 if plan else 1])
    path = rng.choice(list(_places(side, ())))
    how = _mutate(rng, side, path)
    return ((side, pair[1]) if plan else (pair[0], side)), Mutation(plan, how, path)


def _places(value: Any, path: Path) -> Iterator[Path]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _places(inner, (*path, key))


def _mutate(rng: random.Random, root: Any, path: Path) -> str:
    holder = root
    for step in path[:-1]:
        holder = holder[step]
    last, value = path[-1], holder[path[-1]]
    ways = ["other", "other", "type", "delete"]
    ways += ["rename"] if isinstance(holder, dict) else ["twice"]
    ways += ["add"] if isinstance(value, dict | list) else []
    how = rng.choice(ways)
    if path[-1] in ("format_version", "actions") or path[-2:-1] == ("actions",) or len(path) == 1:
        how = "other" if not isinstance(value, dict | list) else "add"
    match how:
        case "delete":
            del holder[last]
        case "rename":
            holder[f"{last}x"] = holder.pop(last)
        case "twice":
            holder.insert(int(last), copy.deepcopy(value))
        case "type":
            holder[last] = {"0": value} if isinstance(value, list) else [value]
        case "add" if isinstance(value, dict):
            value[f"new{rng.randrange(9)}"] = rng.choice([1, "x", None, {"a": 1}])
        case "add":
            value.append(rng.choice(["read", "delete"]) if last == "actions" else rng.choice([{"a": 1}, "x"]))
        case _:
            holder[last] = _other(rng, value)
    return how


def _other(rng: random.Random, value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return rng.choice([f"{value}x", "?"] if value != "?" else ["!"])
        case None:
            return "x"
        case dict():
            return {**value, "another": 1}
        case _:
            return [*value, "another"]


def nothing_of(mutation: Mutation, pair: Pair) -> bool:
    """Whether a mutation has no effect: it is one of what only the provider writes, at its place, and stays."""
    match mutation.path:
        case ["resource_changes", int(index), "change", "before" | "after", str(name), *_]:
            entry = pair[0]["resource_changes"][index]
            return name in computed(entry["type"]) and entry["change"]["before"].get(name) == (
                entry["change"]["after"] or {}
            ).get(name)
    return False
