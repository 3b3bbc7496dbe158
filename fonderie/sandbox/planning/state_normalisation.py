"""What the provider's state holds after an apply or a refresh, where that is not what was configured."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fonderie.sandbox.lifecycle.interface import State
from fonderie.sandbox.planning.equivalence import recognised, same_link_or_name, same_path
from fonderie.sandbox.planning.fields import Field
from fonderie.sandbox.planning.values import as_kept
from fonderie.sandbox.provider.facts import Facts

COMPUTE = "https://www.googleapis.com/compute/v1/"
_GRANT = re.compile(r"_iam_(member|binding|policy|audit_config)$")
_COLLECTIONS = {"network": "global/networks", "subnetwork": "regions/{region}/subnetworks"}
_LAST = re.compile(r"\{\w+(\|\w+)?\}$")


def kept(facts: Facts, fields: Mapping[str, Field], type_name: str, state: State) -> State:
    """The state of a resource on the SDK: zeros instead of nulls, self links instead of names, parents in full.

    Source: values before a change in the recorded plans (`changed`), against the base's configuration.
    """
    after = {**state, **as_kept(fields, state)}
    if _GRANT.search(type_name):
        return _with_parent(facts, fields, type_name, after)
    if type_name.startswith("google_compute_"):
        return {name: _self_link(fields.get(name), value, after) for name, value in after.items()}
    return after


def _self_link(field: Field | None, value: object, state: State) -> object:
    if field is None or not isinstance(value, str) or not value or "://" in value:
        return value
    if recognised(frozenset(field.fact.suppressed)) not in (same_link_or_name, same_path):
        return value
    if value.startswith("projects/"):
        return COMPUTE + value
    collection = _COLLECTIONS.get(field.name)
    if collection is None or "/" in value or not state.get("project"):
        return value
    place = collection.format(region=state.get("region") or "-")
    return value if "-/" in place else f"{COMPUTE}projects/{state['project']}/{place}/{value}"


def _with_parent(facts: Facts, fields: Mapping[str, Field], type_name: str, state: State) -> State:
    """A grant names its parent by the parent's whole id: `projects/p/topics/t`, `b/bucket`."""
    parent_type = _GRANT.sub("", type_name)
    template = "b/{name}" if parent_type == "google_storage_bucket" else facts.id_template(parent_type)
    for name, field in fields.items():
        value = state.get(name)
        if not isinstance(value, str) or name == "project" or "/" in value or not field.force_new or not template:
            continue
        if not ({"rel_name"} & set(field.fact.suppressed) and _in_its_own_id(facts, type_name, name)):
            continue
        places = {**state, "region": state.get("location"), "location": state.get("location")}
        whole = _LAST.sub(value, template)
        try:
            return {**state, name: whole.format_map({key: one for key, one in places.items() if one})}
        except (KeyError, ValueError, IndexError):
            return state  # the parent lies under another one that the grant does not name
    return state


def _in_its_own_id(facts: Facts, type_name: str, name: str) -> bool:
    """Whether the id of the grant begins with this attribute, and so with the parent's id."""
    member = _GRANT.sub("_iam_member", type_name)
    return (facts.id_template(member) or f"{{{name}}}/").startswith(f"{{{name}}}/")
