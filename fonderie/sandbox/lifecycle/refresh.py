"""What a refresh and an import show of an object."""

from __future__ import annotations

from typing import Any

from fonderie.sandbox.cloud.cloud import Thing
from fonderie.sandbox.lifecycle import labels
from fonderie.sandbox.lifecycle.interface import UNKNOWN, State
from fonderie.sandbox.lifecycle.world import Request, World

_PLACES = ("project", "region", "zone", "location")


def read_back(request: Request, found: Thing) -> State:
    """The attributes of an object as a state: what only Terraform knows stays as it was."""
    type, prior, world = request.type, request.state, request.world
    attributes = {**found.attributes, **request.extra}
    kept = labels.not_read_back(world.facts, type)
    state = {**world.schema.resource(type).block.empty(), **attributes}
    imported = _is_imported(world, type, prior)
    for name in kept & state.keys():
        if (value := prior.get(name)) not in (None, UNKNOWN) or not imported:
            state[name] = None if value is UNKNOWN else value
        else:
            state[name] = _default(world, type, name)
    shown = labels.seen(attributes, None if imported else prior, state, brings_all=_brings_labels(world, type))
    return {**state, **shown, **_texts(prior, state, ("id",))}


def _is_imported(world: World, type: str, state: State) -> bool:
    """After an import, and only then, nothing is in the state that the server computes and the id does not say."""
    facts, identity = world.facts.type(type).attributes, str(state.get("id"))
    served = (state[name] for name in state if name in facts and facts[name].computed and name not in _PLACES)
    return all(value in (None, [], {}) or str(value) in identity for value in served)


def _brings_labels(world: World, type: str) -> bool:
    """Whether an import brings `terraform_labels`: hardly any type does."""
    recorded = world.facts.behaviour(type).get("not_read_back")
    return recorded is not None and not any(name.startswith("terraform_labels") for name in recorded)


def _default(world: World, type: str, name: str) -> Any:
    fact = world.facts.type(type).attributes.get(name)
    if name == "deletion_policy":
        return "DELETE"
    return None if fact is None else fact.default


def _texts(prior: State, state: State, names: tuple[str, ...]) -> State:
    return {name: prior[name] for name in names if isinstance(prior.get(name), str) and name in state}
