"""What a refresh and an import show: labels, and what Google does not know or Terraform does not read back.

Source: `not_read_back` of the recorded imports. `labels` are what the configuration set, `terraform_labels` adds the
provider's defaults, `effective_labels` is all there is; foreign labels show in the last only."""

from __future__ import annotations

from functools import cache
from typing import Any

from fonderie.sandbox.cloud.cloud import CloudObject
from fonderie.sandbox.lifecycle.interface import UNKNOWN, ProviderConfig, State
from fonderie.sandbox.lifecycle.world import ObjectRequest, World
from fonderie.sandbox.provider.facts import Facts

WRITTEN = ("labels", "resource_labels", "user_labels", "annotations")
_EFFECTIVE = {
    "labels": "effective_labels",
    "resource_labels": "effective_labels",
    "user_labels": "effective_labels",
    "terraform_labels": "effective_labels",
    "annotations": "effective_annotations",
}
ONLY_TERRAFORM = frozenset(  # Google is not told of these
    {
        "deletion_policy",
        "deletion_protection",
        "force_destroy",
        "force_delete",
        "delete_contents_on_destroy",
        "remove_default_node_pool",
        "disable_on_destroy",
        "disable_dependent_services",
        "skip_initial_version_creation",
        "delete_default_routes_on_create",
        "delete_bgp_always_compare_med",
        "create_ignore_already_exists",
        "secret_data_wo",
        "secret_data_wo_version",
        "check_if_service_has_usage_on_destroy",
        "timeouts",
        "allow_resource_tags_on_deletion",
        "min_master_version",
    }
)
_SERVERS = frozenset({"id", "access", "deletion_protection"})


@cache
def _recorded(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.split(".")[0] for name in names) - _SERVERS


def not_read_back(facts: Facts, type: str) -> frozenset[str]:
    """Attributes that a refresh leaves as the state has them, and an import does not bring."""
    attributes = facts.type(type).attributes
    recorded = _recorded(tuple(facts.behaviour(type).get("not_read_back") or ()))
    return ONLY_TERRAFORM | recorded | {name for name, effective in _EFFECTIVE.items() if effective in attributes}


def computed(state: State, provider: ProviderConfig) -> State:
    """`terraform_labels` and `effective_labels` where the plan left them open."""
    written: State = next((state[name] for name in WRITTEN[:3] if isinstance(state.get(name), dict)), {})
    merged = {**provider.default_labels, **written}
    if state.get("terraform_labels") is UNKNOWN and provider.add_terraform_attribution_label:
        merged["goog-terraform-provisioned"] = "true"
    found: State = {}
    for name in ("terraform_labels", "effective_labels"):
        if state.get(name) is UNKNOWN:
            known = state.get("terraform_labels")
            found[name] = known if isinstance(known, dict) else merged
    if state.get("effective_annotations") is UNKNOWN:
        annotations = state.get("annotations")
        found["effective_annotations"] = annotations if isinstance(annotations, dict) else {}
    return found


def seen(attributes: State, prior: State | None, state: State, *, brings_all: bool) -> State:
    """The maps a refresh shows: the keys that the state had, with the values that are there now.

    After an import there is no prior state, and next to nothing is shown.
    """
    found: dict[str, Any] = {}
    for name, effective in _EFFECTIVE.items():
        if name not in state or effective not in attributes:
            continue
        there = attributes[effective] or {}
        before = (prior or {}).get(name)
        if isinstance(before, dict):
            found[name] = {key: there[key] for key in before if key in there}
        elif name == "terraform_labels":
            found[name] = dict(there) if brings_all else {}
        else:
            found[name] = None
    return found


_PLACES = ("project", "region", "zone", "location")


def read_back(request: ObjectRequest, found: CloudObject) -> State:
    """The attributes of an object as a state: what only Terraform knows stays as it was."""
    type, prior, world = request.type, request.state, request.world
    attributes = {**found.attributes, **request.extra}
    kept = not_read_back(world.facts, type)
    state = {**world.schema.resource(type).block.empty(), **attributes}
    imported = _is_imported(world, type, prior)
    for name in kept & state.keys():
        if (value := prior.get(name)) not in (None, UNKNOWN) or not imported:
            state[name] = None if value is UNKNOWN else value
        else:
            state[name] = _default(world, type, name)
    shown = seen(attributes, None if imported else prior, state, brings_all=_brings_labels(world, type))
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
