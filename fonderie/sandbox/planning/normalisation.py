"""What the state holds right after a create, and what the first refresh makes of it.

The SDK keeps a null that was planned as null; at the next refresh it becomes the type's zero: `{}`, `[]`, `0`, `false`.
A first `terraform plan -refresh-only` therefore shows changes without a cause. Source: `provider/normalised.json`, the
state of the real 7.45.0 after create beside that after refresh: 88 paths of 38 types.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fonderie.sandbox.lifecycle.interface import State
from fonderie.sandbox.provider.facts import PROVIDER


@cache
def paths_of(type: str) -> Mapping[tuple[str, ...], Any]:
    """Path -> the zero that a refresh puts there; a list is entered by the name that leads to it."""
    return {tuple(path.replace("[]", "").split(".")): zero for path, zero in _recorded().get(type, {}).items()}


@cache
def _recorded() -> dict[str, dict[str, Any]]:
    recorded: dict[str, dict[str, Any]] = json.loads((PROVIDER / "normalised.json").read_bytes())
    return recorded


def as_created(type: str, state: State, planned: State) -> State:
    """The state that a create leaves: what was planned as null still is."""
    if not paths_of(type):
        return state
    created = copy.deepcopy(state)
    for path, zero in paths_of(type).items():
        _create(created, planned, path, zero)
    return created


def _create(state: Any, planned: Any, path: Sequence[str], zero: Any) -> None:
    if isinstance(state, list):
        plans = planned if isinstance(planned, list) and len(planned) == len(state) else []
        for element, plan in zip(state, plans, strict=False):
            _create(element, plan, path, zero)
    elif isinstance(state, dict) and isinstance(planned, dict) and path[0] in state:
        if path[1:]:
            _create(state[path[0]], planned.get(path[0]), path[1:], zero)
        elif state[path[0]] == zero and planned.get(path[0]) is None:
            state[path[0]] = None


def as_refreshed(type: str, state: State) -> State:
    """The state that a refresh leaves: zeros in the place of these nulls."""
    if not paths_of(type):
        return state
    refreshed = copy.deepcopy(state)
    for path, zero in paths_of(type).items():
        _refresh(refreshed, path, zero)
    return refreshed


def _refresh(state: Any, path: Sequence[str], zero: Any) -> None:
    if isinstance(state, list):
        for element in state:
            _refresh(element, path, zero)
    elif isinstance(state, dict) and path[0] in state:
        if path[1:]:
            _refresh(state[path[0]], path[1:], zero)
        elif state[path[0]] is None:
            state[path[0]] = copy.copy(zero)
