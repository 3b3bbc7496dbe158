"""What state keeps of a configured value, where that is not the value itself: the provider's state functions."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from infra.sandbox.planning import same
from infra.sandbox.planning.fields import Field

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


def stored(field: Field, value: Any) -> Any:
    """What a state function makes of `value`: recognised by what it made of the probes."""
    if not isinstance(value, str):
        return value
    made = field.fact.normalised
    if made.get("aB") == "AB":
        return value.upper()
    if made.get("aB") == "ab":
        return value.lower()
    if made.get('{ "b": 1 }') == '{"b":1}':
        return _compact(value)
    if made.get("aB") == hashlib.sha256(b"aB").hexdigest():
        return hashlib.sha256(value.encode()).hexdigest()
    if not made and field.path.endswith("scopes"):
        return scope(value)
    return value


def scope(name: str) -> str:
    """An OAuth scope in full."""
    return SCOPES + _ALIASES[name] if name in _ALIASES else name


def hashed(field: Field, value: Any) -> Any:
    """What the own hash function of a set sees of a value."""
    if not isinstance(value, str):
        return value
    if field.computed and value == "ANY":  # what the server fills in where nothing was asked for
        return ""
    return scope(value) if field.path.endswith("scopes") else same.hashed(frozenset(field.fact.suppressed), value)


def _compact(value: str) -> str:
    try:
        return json.dumps(json.loads(value), separators=(",", ":"), sort_keys=True)
    except ValueError:
        return value
