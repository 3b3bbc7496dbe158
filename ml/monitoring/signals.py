"""A verdict and a decision as log lines: what the platform's alerts count (`jsonPayload.event`)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ml.monitoring.trigger import TriggerDecision
from ml.monitoring.verdict import MonthVerdict

DRIFT_ALARM = "drift_alarm"
"""The event that `infra/constructs/watch.py` counts by model."""


def lines(verdict: MonthVerdict, decision: TriggerDecision | None = None) -> Iterator[str]:
    """One JSON line for each alarm and each reason to look, and one for the month as a whole."""
    about = {"model": verdict.model, "month": verdict.month, "version": verdict.version}
    for finding in (*verdict.alarms, *verdict.blocked):
        said = {"finding": finding.name, "value": finding.value, "limit": finding.limit, "reason": finding.reason}
        yield json.dumps({"event": DRIFT_ALARM, "severity": "WARNING", **about, **said})
    whole = {
        "event": "month_monitored",
        "severity": "NOTICE",
        **about,
        "rows": verdict.rows,
        "alarms": len(verdict.alarms),
        "blocked": len(verdict.blocked),
        "error": verdict.error,
        "gate_error": verdict.gate_error,
        "action": str(decision.action) if decision else None,
    }
    yield json.dumps(whole)
