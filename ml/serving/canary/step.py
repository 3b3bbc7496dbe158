"""One step of a canary: its questions, their evidence, its verdict.

Four questions are asked of every step, each with a margin from the model's file: does the challenger fail more often,
is it slower, does it disagree with the champion, and, where labels arrive, is it further off? It is aborted when one of
them is proven worse than half its margin, promoted when all are proven better than the margin, and held in between.
Half the margin lies between: an equal version and one that is worse by the margin are equally far from it.

An equal version is aborted with probability ABORT_ALPHA at most over all steps and questions together; a version worse
by the margin passes a step with probability PROMOTE_ALPHA at most.
"""

from __future__ import annotations

import math
from datetime import datetime
from enum import StrEnum

import msgspec
import numpy as np

from ml.serving.canary.evidence import Bet, Side, Values
from ml.serving.canary.margins import Margins, Question
from ml.serving.canary.observations import OpenBlock, Requests, differences

ABORT_ALPHA = 0.01
PROMOTE_ALPHA = 0.025
LATENCY_CLIP = math.log(8)  # around the champion's median: what is slower still counts as eight times as slow
SHADOW_CAUTION = 25.0  # an abort waits until it is plain that the noise does not come in waves ...
LIVE_CAUTION = 3.0  # ... of which there is less to fear where only every twentieth request is the challenger's
CALIBRATION = 20  # answers of the champion that say where its median is


class Verdict(StrEnum):
    """What a look at the evidence says."""

    PROMOTE = "promote"
    HOLD = "hold"
    ABORT = "abort"


class Test(msgspec.Struct, frozen=True):
    """One question in one step: two bets on the same values."""

    question: Question
    margin: float
    worse: Bet  # grows while the challenger is worse than half the margin
    fine: Bet  # grows while it is better than the margin
    block: OpenBlock = OpenBlock()

    @property
    def estimate(self) -> float:
        """Of the difference, in the margin's unit; NaN without a value."""
        return self.worse.mean


class Step(msgspec.Struct, frozen=True):
    """A step that is over, or the one going on: its record."""

    percent: float
    started: datetime
    tests: tuple[Test, ...]
    requests: int = 0
    challenger_answers: int = 0
    latency_centre: float | None = None
    verdict: Verdict = Verdict.HOLD
    reason: str = "no request yet"
    ended: datetime | None = None


def new_step(percent: float, margins: Margins, now: datetime) -> Step:
    """A step that has seen nothing yet."""
    sized = [(question, margins.size(question)) for question in Question]
    caution = LIVE_CAUTION if percent else SHADOW_CAUTION
    return Step(percent, now, tuple(_test(question, size, caution) for question, size in sized if size is not None))


def _test(question: Question, margin: float, caution: float) -> Test:
    low, high = _range(question, margin)
    worse = Bet(Side.ABOVE, margin / 2, low, high, caution)
    return Test(question, margin, worse, Bet(Side.BELOW, margin, low, high))


def _range(question: Question, margin: float) -> tuple[float, float]:
    """Bounds of a test's values, in the margin's unit."""
    match question:
        case Question.ERRORS:
            return -1.0, 1.0
        case Question.LATENCY:
            return -2 * LATENCY_CLIP, 2 * LATENCY_CLIP
        case Question.DISAGREEMENT:
            return 0.0, 4 * margin
        case Question.LOSS:
            return -16 * margin, 16 * margin


def watched(step: Step, requests: Requests) -> Step:
    """The step with these requests in its tests."""
    centre, skip = step.latency_centre, 0
    if centre is None:
        centre, skip = _centre(requests)
    tests = tuple(_fed(test, requests, centre, skip) for test in step.tests)
    return msgspec.structs.replace(
        step,
        tests=tests,
        latency_centre=centre,
        requests=step.requests + requests.answered,
        challenger_answers=step.challenger_answers + requests.challenger_answers,
    )


def _centre(requests: Requests) -> tuple[float | None, int]:
    """Log of the champion's median latency, and how many requests were spent on finding it."""
    known = np.flatnonzero(~np.isnan(requests.champion_latency_s))
    if len(known) < CALIBRATION:
        return None, len(requests)
    used = int(known[CALIBRATION - 1]) + 1
    return float(np.nanmedian(np.log(np.maximum(requests.champion_latency_s[:used], 1e-9)))), used


def _fed(test: Test, requests: Requests, centre: float | None, skip: int) -> Test:
    block = test.block
    match test.question:
        case Question.DISAGREEMENT:
            known = requests.disagreement[~np.isnan(requests.disagreement)]
            values = np.minimum(np.abs(known), 4 * test.margin)
        case Question.ERRORS:
            values, block = differences(requests.champion_failed, requests.challenger_failed, block)
        case Question.LOSS:
            cap = 16 * test.margin
            champion, challenger = np.minimum(requests.champion_loss, cap), np.minimum(requests.challenger_loss, cap)
            values, block = differences(champion, challenger, block)
        case Question.LATENCY:
            if centre is None:
                return test
            champion = _clipped_log(requests.champion_latency_s[skip:], centre)
            challenger = _clipped_log(requests.challenger_latency_s[skip:], centre)
            values, block = differences(champion, challenger, block)
    return msgspec.structs.replace(test, worse=test.worse.observe(values), fine=test.fine.observe(values), block=block)


def _clipped_log(latency_s: Values, centre: float) -> Values:
    return np.clip(np.log(np.maximum(latency_s, 1e-9)) - centre, -LATENCY_CLIP, LATENCY_CLIP)


def judged(step: Step, margins: Margins, *, gates: int) -> Step:
    """The step with its verdict and the reason."""
    alpha = ABORT_ALPHA / (gates * len(Question))
    for test in step.tests:
        if test.worse.proven(alpha):
            words = f"{test.question}: {_said(test)}, proven worse than half the margin of {_unit(test, test.margin)}"
            return msgspec.structs.replace(step, verdict=Verdict.ABORT, reason=words)
    waiting = [test for test in step.tests if _required(test, step) and not test.fine.proven(PROMOTE_ALPHA)]
    if waiting:
        words = "; ".join(f"{test.question}: {_said(test)} after {test.fine.count}" for test in waiting)
        return msgspec.structs.replace(step, verdict=Verdict.HOLD, reason=f"not proven within the margin yet: {words}")
    if step.challenger_answers < margins.min_requests:
        words = f"{step.challenger_answers} of {margins.min_requests} answers"
        return msgspec.structs.replace(step, verdict=Verdict.HOLD, reason=words)
    words = "; ".join(f"{test.question} {_said(test)}" for test in step.tests if test.fine.count)
    return msgspec.structs.replace(step, verdict=Verdict.PROMOTE, reason=words)


def _required(test: Test, step: Step) -> bool:
    """Errors and latency always; disagreement in the shadow, where both answer; the loss once a label has come."""
    match test.question:
        case Question.ERRORS | Question.LATENCY:
            return True
        case Question.DISAGREEMENT:
            return step.percent == 0
        case Question.LOSS:
            return test.fine.count > 0


def _said(test: Test) -> str:
    return _unit(test, test.estimate) if test.fine.count else "nothing seen"


def _unit(test: Test, value: float) -> str:
    match test.question:
        case Question.ERRORS:
            return f"{100 * value:+.2f} points"
        case Question.LATENCY:
            return f"x{math.exp(value):.2f}"
        case _:
            return f"{value:.3g}"
