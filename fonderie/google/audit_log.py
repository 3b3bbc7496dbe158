"""Who changed something last, from a project's admin activity log, which Google always writes and keeps for 400 days.

Sources: Cloud Logging REST reference, `entries.list`; Cloud Audit Logs, "AuditLog" (`protoPayload`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from fonderie.google.client import Access, RestClient

DAYS = 30
_AT_ONCE = 20  # names in one query: a filter has at most 20,000 characters
_PAGE = 500
_NAME = re.compile(r"[^\"\\\s]{1,300}")


def last_callers(access: Access, names: Iterable[str], now: datetime) -> dict[str, str]:
    """Of resources by the last part of their name: `ada@acme.com, 2026-11-28 14:03 UTC`; who is not found is left out.

    Raises RefusedError without `logging.logEntries.list`, StepFailedError when the log cannot be read otherwise.
    """
    wanted = sorted({name for name in names if _NAME.fullmatch(name)})
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        body = query(access.project, part, now)
        answer = RestClient(access).post("logging", "v2/entries:list", body, idempotent=True)
        found.update(callers(answer.get("entries") or (), part))
    return found


def query(project: str, names: Sequence[str], now: datetime) -> dict[str, Any]:
    """The request for what was done to resources in the last days, newest first."""
    since = (now - timedelta(days=DAYS)).isoformat()
    named = " OR ".join(f'"{name}"' for name in names)
    log = f"projects/{project}/logs/cloudaudit.googleapis.com%2Factivity"
    return {
        "resourceNames": [f"projects/{project}"],
        "filter": f'logName="{log}" AND timestamp>="{since}" AND protoPayload.resourceName:({named})',
        "orderBy": "timestamp desc",
        "pageSize": _PAGE,
    }


def callers(entries: Iterable[Mapping[str, Any]], names: Sequence[str]) -> dict[str, str]:
    """Who is named by the first entry of each resource; a name is a whole part of the resource's."""
    found: dict[str, str] = {}
    for entry in entries:
        payload = entry.get("protoPayload") or {}
        who = (payload.get("authenticationInfo") or {}).get("principalEmail")
        parts = set(re.split(r"[/:]", str(payload.get("resourceName") or "")))
        for name in names:
            if who and name in parts:
                found.setdefault(name, f"{who}, {str(entry.get('timestamp', ''))[:16].replace('T', ' ')} UTC")
    return found
