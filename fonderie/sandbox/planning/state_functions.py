"""What state keeps of a configured value, where that is not the value itself: the provider's state functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from fonderie.sandbox.planning import equivalence
from fonderie.sandbox.planning.fields import Field
from fonderie.sandbox.provider.facts import Fact

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


def hashed(field: Field, value: Any) -> Any:
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
