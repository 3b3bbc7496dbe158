"""What asks for a retraining: the message that the monitoring pipeline publishes and the workflow reads."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ml.monitoring.trigger import Action, TriggerDecision


class RetrainRequest(BaseModel):
    """`infra/workflows/retrain.yaml` reads exactly these fields."""

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
