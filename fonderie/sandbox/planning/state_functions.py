"""What state holds instead of what was configured: the provider's state functions, and its forms after an apply."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from fonderie.sandbox.lifecycle.interface import State
from fonderie.sandbox.planning import equivalence
from fonderie.sandbox.planning.equivalence import recognised, same_link_or_name, same_path
from fonderie.sandbox.planning.fields import AttributeField
from fonderie.sandbox.planning.values import as_kept
from fonderie.sandbox.provider.facts import Fact, Facts

SCOPES = "https://www.googleapis.com/auth/"
# Short names of OAuth scopes. Source: "OAuth 2.0 scopes for Google APIs" and gcloud's documentation of scope aliases.
_ALIASES = {
    "bigquery": "bigquery",
    "bigtable-admin": "bigtable.admin",
    "bigtable-data": "bigtable.data",
    "cloud-platform": "cloud-platform",
    "cloud-source-repos": "source.full_control",
    "cloud-source-repos-ro": "source.read_only",
    "compute-ro": "compute.readonly",
    "compute-rw": "compute",
    "datastore": "datastore",
    "logging-write": "logging.write",
    "monitoring": "monitoring",
    "monitoring-read": "monitoring.read",
    "monitoring-write": "monitoring.write",
    "pubsub": "pubsub",
    "service-control": "servicecontrol",
    "service-management": "service.management.readonly",
    "sql": "sqlservice",
    "sql-admin": "sqlservice.admin",
    "storage-full": "devstorage.full_control",
    "storage-ro": "devstorage.read_only",
    "storage-rw": "devstorage.read_write",
    "taskqueue": "taskqueue",
    "trace": "trace.append",
    "useraccounts-ro": "cloud.useraccounts.readonly",
    "useraccounts-rw": "cloud.useraccounts",
    "userinfo-email": "userinfo.email",
}


def stored_value(field: AttributeField, value: Any) -> Any:
    """What a state function makes of `value`: recognised by what it made of the probes."""
    if not isinstance(value, str):
        return value
    if field.path.endswith("scopes"):
        return scope(value)
    known = _known(field.fact)
    return known(value) if known else value


def is_understood(fact: Fact) -> bool:
    """Whether a state function is known by what it made of the probes."""
    return _known(fact) is not None


def _known(fact: Fact) -> Callable[[str], str] | None:
    made = fact.normalised
    functions: list[tuple[str, Callable[[str], str]]] = [
        ("aB", str.upper),
        ("aB", str.lower),
        ('{ "b": 1 }', _compact),
        ("aB", _sha256),
    ]
    return next((known for probe, known in functions if made.get(probe) == known(probe) != probe), None)


def _sha256(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def scope(name: str) -> str:
    """An OAuth scope in full."""
    return SCOPES + _ALIASES[name] if name in _ALIASES else name


def hashed(field: AttributeField, value: Any) -> Any:
    """What the own hash function of a set sees of a value."""
    if not isinstance(value, str):
        return value
    if field.computed and value == "ANY":  # what the server fills in where nothing was asked for
        return ""
    return (
        scope(value) if field.path.endswith("scopes") else equivalence.hashed(frozenset(field.fact.suppressed), value)
    )


def _compact(value: str) -> str:
    try:
        return json.dumps(json.loads(value), separators=(",", ":"), sort_keys=True)
    except ValueError:
        return value


COMPUTE = "https://www.googleapis.com/compute/v1/"
_GRANT = re.compile(r"_iam_(member|binding|policy|audit_config)$")
_COLLECTIONS = {"network": "global/networks", "subnetwork": "regions/{region}/subnetworks"}
_LAST = re.compile(r"\{\w+(\|\w+)?\}$")


def kept(facts: Facts, fields: Mapping[str, AttributeField], type_name: str, state: State) -> State:
    """The state of a resource on the SDK: zeros instead of nulls, self links instead of names, parents in full.

    Source: values before a change in the recorded plans (`changed`), against the base's configuration.
    """
    after = {**state, **as_kept(fields, state)}
    if _GRANT.search(type_name):
        return _with_parent(facts, fields, type_name, after)
    if type_name.startswith("google_compute_"):
        return {name: _self_link(fields.get(name), value, after) for name, value in after.items()}
    return after


def _self_link(field: AttributeField | None, value: object, state: State) -> object:
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


def _with_parent(facts: Facts, fields: Mapping[str, AttributeField], type_name: str, state: State) -> State:
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
