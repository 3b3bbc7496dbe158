"""Cloud SQL: a disk does not shrink, a private network is not given up."""

from __future__ import annotations

from typing import Any

from fonderie.sandbox.lifecycle.interface import Path, State
from fonderie.sandbox.planning.type_rules import TypeRules


def _settings(state: State) -> dict[str, Any]:
    listed = state.get("settings") or [{}]
    return dict(listed[0]) if isinstance(listed, list) and isinstance(listed[0], dict) else {}


def _network(settings: dict[str, Any]) -> Any:
    listed = settings.get("ip_configuration") or [{}]
    return listed[0].get("private_network") if isinstance(listed, list) and isinstance(listed[0], dict) else None


def _instance_replaces(prior: State, planned: State) -> list[Path]:
    """Source: "Edit instances" of Cloud SQL: storage can only be increased; private IP cannot be disabled."""
    old, new = _settings(prior), _settings(planned)
    found: list[Path] = []
    was, will = old.get("disk_size"), new.get("disk_size")
    if isinstance(was, int) and isinstance(will, int) and will < was:
        found.append(("settings", 0, "disk_size"))
    if _network(old) and not _network(new):
        found.append(("settings", 0, "ip_configuration", 0, "private_network"))
    return found


PLANS = {"google_sql_database_instance": TypeRules(replaces=_instance_replaces)}
