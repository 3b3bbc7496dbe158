"""The smallest `Lifecycle`: a cloud in memory that accepts everything. For tests of planning and of the protocol."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from fonderie.sandbox.lifecycle.computed import empty
from fonderie.sandbox.lifecycle.interface import UNKNOWN, ApiError, ApplyResult, Diagnostic, ProviderConfig, State
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import CtyType, ProviderSchema


class MemoryLifecycle:
    """Resources live in Terraform's state alone; what only the cloud knows gets an invented value."""

    def __init__(self, schema: ProviderSchema, facts: Facts) -> None:
        self._schema = schema
        self._facts = facts
        self._lock = threading.Lock()
        self._made = 0

    def create(self, type: str, planned: State, provider: ProviderConfig) -> ApplyResult:
        """The planned state with invented values for what is unknown, and the id `TYPE/NUMBER`."""
        kind = self._schema.resource(type).block.type
        state = fill(planned, kind, "")
        with self._lock:
            self._made += 1
            state["id"] = f"{type}/{self._made}"
        return ApplyResult(state)

    def read(self, type: str, state: State, provider: ProviderConfig) -> State | None:
        """Everything is as it was left."""
        return state

    def update(self, type: str, prior: State, planned: State, provider: ProviderConfig) -> ApplyResult:
        """Fill what is unknown with what was there."""
        return ApplyResult({**fill(planned, self._schema.resource(type).block.type, prior), "id": prior["id"]})

    def delete(self, type: str, prior: State, provider: ProviderConfig) -> list[Diagnostic]:
        """Always succeeds."""
        return []

    def import_(self, type: str, id: str, provider: ProviderConfig) -> list[State]:
        """Always raises ApiError: nothing exists outside Terraform's state."""
        raise ApiError.because("Cannot import non-existent remote object", f"There is no {type} {id}.")

    def read_data(self, type: str, config: State, provider: ProviderConfig) -> State:
        """Invented values in every computed attribute."""
        block = self._schema.data_source(type).block
        asked = {
            name: UNKNOWN if value is None and name in block.attributes and block.attributes[name].computed else value
            for name, value in config.items()
        }
        filled: State = fill(asked, block.type, "")
        return {**filled, "id": filled.get("id") or type}


def fill(value: Any, kind: CtyType, old: Any) -> Any:
    """`value` with everything unknown replaced: by `old` in its place, else by the empty value of its type."""
    if value is UNKNOWN:
        return old if old not in (None, "") else empty(kind)
    match kind, value:
        case ["list" | "set", inner], list():
            olds = old if isinstance(old, list) else []
            return [fill(one, inner, olds[n] if n < len(olds) else None) for n, one in enumerate(value)]
        case ["map", inner], dict():
            return {key: fill(one, inner, None) for key, one in value.items()}
        case ["object", inner], dict():
            before = old if isinstance(old, Mapping) else {}
            return {key: fill(value.get(key), one, before.get(key)) for key, one in inner.items()}
    return value
