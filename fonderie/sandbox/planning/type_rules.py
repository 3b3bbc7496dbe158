"""Room for what no fact can say: a type's own rules, registered by `fonderie/sandbox/rules/<service>.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from fonderie.sandbox.lifecycle.interface import Diagnostic, Path, State
from fonderie.sandbox.planning.difference import Steps
from fonderie.sandbox.rules import service_modules


@dataclass(frozen=True)
class Situation:
    """A change under question, and the resource around it: `prior` is empty at creation, `wanted` has its defaults."""

    steps: Steps
    old: str
    new: str
    prior: Mapping[str, Any]
    wanted: Mapping[str, Any]
    given: Mapping[str, Any]  # what the user wrote


@dataclass(frozen=True)
class TypeRules:
    """One resource type's rules. Keys are paths of the facts (`a.b.c`).

    `same`: whether a change is none. `adjust`: alters the wanted state before it is compared (the provider's
    customised differences). `replaces`: paths that force replacement beyond the facts, from prior and planned state.
    `stays`: paths whose change does not force it after all. `check`: what is wrong with a configuration, beyond the
    facts. `refuse`: what is wrong with a change, from prior and wanted state. `keeps`: what state holds after an apply.
    """

    same: Mapping[str, Callable[[Situation], bool]] = field(default_factory=dict)
    adjust: Callable[[State | None, State, State], State] | None = None
    replaces: Callable[[State, State], list[Path]] | None = None
    stays: Mapping[str, Callable[[State, State], bool]] = field(default_factory=dict)
    check: Callable[[State], list[Diagnostic]] | None = None
    refuse: Callable[[State | None, State], list[Diagnostic]] | None = None
    keeps: Callable[[State], State] | None = None


NONE = TypeRules()


@cache
def rules_by_type() -> Mapping[str, TypeRules]:
    """The `PLANS` of every module in `fonderie.sandbox.rules` that has some."""
    return {type: plans for module in service_modules() for type, plans in getattr(module, "PLANS", {}).items()}
