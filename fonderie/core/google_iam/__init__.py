"""Google's IAM as far as we call it: which methods need which permissions, and which predefined role holds those.

`calls.json`: per resource type and action, the API methods that hashicorp/google 7.45.0 calls, recorded from the real
provider; those of google_gke_hub_feature_membership are read in its source instead (`services/gkehub/hub_utils.go`).
`methods.json`: per method the permissions it needs, with their source (`map`: a public map of methods to permissions;
`docs:`: a page of cloud.google.com). `roles.json`: Google's role definitions of 2026-08-22, cut to the
permissions of `methods.json`: a role holds more than is listed here, but nothing else that we call. What people on call
run by `gcloud` (builds, executions, schedules, log entries) is listed of the basic roles and Cloud Build's only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call of the provider; one with `when` is made only then."""

    method: str  # id in Google's discovery documents: storage.buckets.get
    when: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """What a method of an API needs."""

    permissions: tuple[str, ...]
    source: str
    when: Mapping[str, str] = field(default_factory=dict)  # permission -> when it is needed; absent: always


@cache
def provider_calls() -> Mapping[str, Mapping[str, tuple[RecordedCall, ...]]]:
    """Resource type -> create, read, update, delete or import -> what the provider calls."""
    return {
        type: {action: tuple(map(_call, calls)) for action, calls in actions.items()}
        for type, actions in _read("calls").items()
    }


@cache
def methods() -> Mapping[str, Method]:
    """Method id -> what it needs."""
    return {
        name: Method(tuple(row["permissions"]), row["source"], row.get("when") or {})
        for name, row in _read("methods").items()
    }


@cache
def predefined_roles() -> Mapping[str, frozenset[str]]:
    """Google's role -> the permissions of `methods()` that it holds."""
    return {name: frozenset(permissions) for name, permissions in _read("roles").items()}


@cache
def known_permissions() -> frozenset[str]:
    """Every permission that we know Google to have."""
    needed = {permission for method in methods().values() for permission in method.permissions}
    return frozenset(needed.union(*predefined_roles().values()))


def _call(row: str | Mapping[str, str]) -> RecordedCall:
    return RecordedCall(row) if isinstance(row, str) else RecordedCall(row["method"], row["when"])


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_bytes())
    return document
