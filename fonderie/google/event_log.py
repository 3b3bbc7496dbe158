"""What pipelines tell whoever watches them, written into a log of Cloud Logging as entries that alerts find.

A line on stdout is not enough: Vertex AI keeps it as the text of an entry of the task's own custom job and reads no
JSON in it, and Kubeflow's is one of the container's. Source: Cloud Logging REST reference, `entries.write`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fonderie.core.errors import BadInputError
from fonderie.google import Access, RestClient


def write_events(log: str, events: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Write each event as an entry of `log` (`projects/P/logs/L`); its `severity` is the entry's.

    Written once however often it is repeated: an entry's id is made of what it holds. Raises BadInputError for a log
    that is not one, RefusedError without `logging.logEntries.create`, StepFailedError otherwise.
    """
    if log.split("/")[::2] != ["projects", "logs"]:
        raise BadInputError(f"invalid log {log!r}", hint="write projects/PROJECT/logs/NAME")
    project = log.split("/")[1]
    body = {
        "logName": log,
        "resource": {"type": "global", "labels": {"project_id": project}},
        "entries": [_entry(event, now) for event in events],
    }
    RestClient(Access.from_environment(project)).post("logging", "v2/entries:write", body, idempotent=True)


def _entry(event: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    payload = {name: value for name, value in event.items() if name != "severity"}
    content = json.dumps([payload, now.isoformat()], sort_keys=True)
    return {
        "timestamp": now.isoformat(),
        "severity": event.get("severity", "NOTICE"),
        "insertId": hashlib.sha256(content.encode()).hexdigest()[:32],
        "jsonPayload": payload,
    }
