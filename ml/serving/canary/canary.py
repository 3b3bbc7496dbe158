"""A challenger earns its traffic: shadow, then 1, 5, 25, 100 %; each step is decided by sequential tests (`steps`).

Pure: state and requests in, state out.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from ml.serving.canary.margins import Margins
from ml.serving.canary.observations import Requests
from ml.serving.canary.step import Step, Verdict, judged, new_step, watched


class Status(StrEnum):
    """State of a canary."""

    RUNNING = "running"
    PROMOTED = "promoted"
    ABORTED = "aborted"


class Canary(msgspec.Struct, frozen=True):
    """All there is to know of a canary; `steps[-1]` is the one going on. Written as JSON, whole, after every look."""

    model: str
    champion: str
    challenger: str
    margins: Margins
    steps: tuple[Step, ...]
    status: Status = Status.RUNNING
    reason: str = ""

    @property
    def step(self) -> Step:
        """The current step."""
        return self.steps[-1]

    @property
    def percent(self) -> float:
        """The challenger's share of the traffic: 0 in the shadow and after an abort, 100 once promoted."""
        match self.status:
            case Status.RUNNING:
                return self.step.percent
            case Status.PROMOTED:
                return 100.0
            case Status.ABORTED:
                return 0.0


def start(model: str, champion: str, challenger: str, margins: Margins, *, now: datetime) -> Canary:
    """A new canary in its shadow step: no traffic for the challenger."""
    return Canary(model, champion, challenger, margins, (new_step(0, margins, now),))


def observe(canary: Canary, requests: Requests, *, now: datetime) -> Canary:
    """After these requests of the step going on: held, one step further, promoted or aborted."""
    if canary.status is not Status.RUNNING or not len(requests):
        return canary
    step = judged(watched(canary.step, requests), canary.margins, gates=len(canary.margins.steps))
    match step.verdict:
        case Verdict.HOLD:
            return _with_step(canary, step)
        case Verdict.ABORT:
            ended = _with_step(canary, msgspec.structs.replace(step, ended=now))
            return msgspec.structs.replace(ended, status=Status.ABORTED, reason=step.reason)
        case Verdict.PROMOTE:
            return _advanced(_with_step(canary, msgspec.structs.replace(step, ended=now)), step, now)


def abort(canary: Canary, reason: str, *, now: datetime) -> Canary:
    """The canary, aborted for `reason`; unchanged if it is over already."""
    if canary.status is not Status.RUNNING:
        return canary
    step = msgspec.structs.replace(canary.step, verdict=Verdict.ABORT, reason=reason, ended=now)
    return msgspec.structs.replace(_with_step(canary, step), status=Status.ABORTED, reason=reason)


def _advanced(canary: Canary, step: Step, now: datetime) -> Canary:
    following = next((percent for percent in canary.margins.steps if percent > step.percent), 100.0)
    if following >= 100:
        reason = f"{step.percent:g} % went well: {step.reason}"
        return msgspec.structs.replace(canary, status=Status.PROMOTED, reason=reason)
    return msgspec.structs.replace(canary, steps=(*canary.steps, new_step(following, canary.margins, now)))


def _with_step(canary: Canary, step: Step) -> Canary:
    return msgspec.structs.replace(canary, steps=(*canary.steps[:-1], step))
