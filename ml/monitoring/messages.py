"""What monitoring tells others: events that the platform's alerts look for, and the request for a retraining."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ml.monitoring.trigger import Action, TriggerDecision
from ml.monitoring.verdict import MonthVerdict

DRIFT_ALARM = "drift_alarm"
"""The event (`jsonPayload.event`) that `infra/constructs/watch.py` looks for."""


def events_of(verdict: MonthVerdict, decision: TriggerDecision | None = None) -> Iterator[dict[str, Any]]:
    """One for each alarm and each reason to look, and one for the month as a whole."""
    about = {"model": verdict.model, "month": verdict.month, "version": verdict.version}
    for finding in (*verdict.alarms, *verdict.blocked):
        said = {"finding": finding.name, "value": finding.value, "limit": finding.limit, "reason": finding.reason}
        yield {"event": DRIFT_ALARM, "severity": "WARNING", **about, **said}
    yield {
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


class RetrainRequest(BaseModel):
    """The message that the monitoring pipeline publishes; `infra/workflows/retrain.yaml` reads exactly these fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    month: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}$")]
    reason: str

    @classmethod
    def of(cls, model: str, decision: TriggerDecision) -> RetrainRequest | None:
        """The request a decision makes, if it makes one."""
        if decision.action is not Action.RETRAIN or decision.month is None:
            return None
        return cls(model=model, month=decision.month, reason="; ".join(decision.reasons))

    @property
    def job_id(self) -> str:
        """Of the run on Vertex AI: one a model and month, so that a second request is refused there."""
        return f"retrain-{self.model.replace('_', '-')}-{self.month}"

    def message(self) -> bytes:
        """The request as the JSON body of a Pub/Sub message."""
        return json.dumps(self.model_dump(), sort_keys=True).encode()
