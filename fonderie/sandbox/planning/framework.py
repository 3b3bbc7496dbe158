"""How the provider's few types on the newer plugin framework plan: the proposed state, computed values unknown."""

from __future__ import annotations

from collections.abc import Mapping

from fonderie.sandbox.lifecycle.interface import UNKNOWN, Path, State
from fonderie.sandbox.planning.fields import Field, Kind
from fonderie.sandbox.planning.values import comparable


def plan(fields: Mapping[str, Field], prior: State | None, proposed: State, config: State) -> tuple[State, list[Path]]:
    """The planned state and the paths that force replacement. On a change what is computed and not given is unknown."""
    wanted = {
        name: fields[name].fact.default if name in fields and value is None else value
        for name, value in proposed.items()
    }
    if prior is not None and all(_same(field, prior.get(name), wanted.get(name)) for name, field in fields.items()):
        return prior, []
    for name in wanted:
        computed = name == "id" or (name in fields and fields[name].computed)
        if computed and config.get(name) is None and (prior is None or name != "id"):
            wanted[name] = UNKNOWN
    replace: list[Path] = [
        (name,)
        for name, field in fields.items()
        if prior is not None and field.force_new and not _same(field, prior.get(name), wanted.get(name))
    ]
    return wanted, replace


def _same(field: Field, first: object, second: object) -> bool:
    if first is UNKNOWN or second is UNKNOWN or (field.kind is not Kind.STRING and (first is None) != (second is None)):
        return first is second
    return bool(comparable(field, first) == comparable(field, second))
