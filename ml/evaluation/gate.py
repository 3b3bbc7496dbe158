"""Does the challenger take the champion's place? A pure function of two scores on the same rows, and its record.

It knows its noise: a gain counts when its interval by day lies above zero, a loss in a slice when it lies below.
It fails closed. Every check is written as what must hold, so that a missing, NaN or unknown value fails it; the
answer is `promote` only when every check of the list was made and none failed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date

from pydantic import BaseModel, ConfigDict, ValidationError

from ml.evaluation.decision import Check, Decision, Outcome, Verdict, all_hold, check_that, unreadable
from ml.evaluation.metrics import Metric
from ml.evaluation.relative_checks import baseline_checks, gain_checks, number, slice_checks
from ml.evaluation.scores import Evaluation, Role, Score, SliceScore
from ml.models import Gate

MAX_AGE_DAYS = 31
"""Between the last training day and the first held-out one: the model is judged on what comes next."""


class Expected(BaseModel):
    """What the caller knows from elsewhere: which rows were held out, and which champion the registry has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    holdout_hash: str
    champion_hash: str | None


def decide(challenger: Score | None, champion: Score | None, rules: Gate, expected: Expected) -> Decision:
    """Decide on `challenger` beside `champion` (None: no model serves yet, so only the absolute checks apply)."""
    if challenger is None:
        return unreadable("the challenger was not scored")
    checks = [Check(name="readable", verdict=Verdict.PASSED)]
    checks.extend(_identity(challenger, champion, rules, expected))
    for make in (_numbers, gain_checks, baseline_checks, slice_checks):
        checks.extend(make(challenger, champion, rules))
    failed = tuple(f"{check.name}: {check.reason}" for check in checks if check.verdict is Verdict.FAILED)
    promote = not failed and all_hold(checks)
    return Decision(
        outcome=Outcome.PROMOTE if promote else Outcome.KEEP,
        reasons=failed or (("every check passed",) if promote else ("a required check was not made",)),
        checks=tuple(checks),
        challenger_hash=challenger.model_hash,
        champion_hash=champion.model_hash if champion else None,
        holdout_hash=challenger.holdout_hash,
    )


def decide_evaluation(text: str | None, rules: Gate, *, holdout_hash: str, champion_hash: str | None) -> Decision:
    """The same from an Evaluation as JSON (None: there is none). What cannot be read keeps the champion.

    `holdout_hash` and `champion_hash` come from the rows that were held out and from the registry, not from `text`.
    """
    if text is None:
        return unreadable("there is no evaluation")
    try:
        evaluation = Evaluation.model_validate_json(text)
    except ValidationError as error:
        return unreadable(f"not an evaluation: {error.errors()[0]['msg']}")
    if evaluation.champion_problem:
        return unreadable(f"the champion could not be scored: {evaluation.champion_problem}")
    expected = Expected(holdout_hash=holdout_hash, champion_hash=champion_hash)
    return decide(evaluation.challenger, evaluation.champion, rules, expected)


def _identity(challenger: Score, champion: Score | None, rules: Gate, expected: Expected) -> Iterator[Check]:
    """Are these the scores they should be: the right sides, metric, rows and models?"""
    sides = [(challenger, Role.CHALLENGER)] + ([(champion, Role.CHAMPION)] if champion else [])
    there = [score for score, _ in sides]
    yield check_that(
        "sides",
        all(score.role is role for score, role in sides),
        "challenger and champion are swapped or mislabelled",
        challenger=challenger.role,
        champion=champion.role if champion else None,
    )
    yield check_that(
        "metric",
        isinstance(rules.metric, Metric) and all(score.name == str(rules.metric) for score in there),
        f"a side was not measured by {rules.metric}",
        challenger=challenger.name,
        champion=champion.name if champion else None,
        limit=str(rules.metric),
    )
    yield check_that(
        "holdout",
        bool(expected.holdout_hash) and all(score.holdout_hash == expected.holdout_hash for score in there),
        "the sides were not scored on the rows that were held out",
        challenger=challenger.holdout_hash,
        champion=champion.holdout_hash if champion else None,
        limit=expected.holdout_hash,
    )
    yield check_that(
        "distinct",
        bool(challenger.model_hash)
        and all(challenger.model_hash != other for other in (expected.champion_hash, champion and champion.model_hash)),
        "the challenger is the champion itself, or has no hash",
        challenger=challenger.model_hash,
        champion=champion.model_hash if champion else expected.champion_hash,
    )
    yield _registered(champion, expected)
    held_out = _day(challenger.holdout_from, absent=date.min)
    yield check_that(
        "unseen",
        all(_day(score.trained_until) < held_out for score in there),
        "a side may have been trained on held-out rows; train a month that is new to both",
        challenger=challenger.trained_until,
        champion=champion.trained_until if champion else None,
        limit=challenger.holdout_from,
    )
    yield check_that(
        "recent",
        (held_out - _day(challenger.trained_until)).days <= MAX_AGE_DAYS,
        f"its training ends more than {MAX_AGE_DAYS} days before the held-out rows",
        challenger=challenger.trained_until,
        limit=challenger.holdout_from,
    )


def _registered(champion: Score | None, expected: Expected) -> Check:
    """The champion that was scored is the registry's; none was scored only if it has none."""
    if champion is None and expected.champion_hash is None:
        return Check(name="champion", verdict=Verdict.NOT_APPLICABLE, reason="no champion yet")
    scored = champion.model_hash if champion else None
    return check_that(
        "champion",
        bool(scored) and scored == expected.champion_hash,
        "the champion that was scored is not the one in the registry",
        champion=scored,
        limit=expected.champion_hash,
    )


def _numbers(challenger: Score, champion: Score | None, rules: Gate) -> Iterator[Check]:
    """Enough rows, possible values, and the two limits on the metric itself."""
    there = [challenger] + ([champion] if champion else [])
    ours, theirs = number(challenger.metric), number(champion.metric if champion else None)
    both = {"challenger": ours, "champion": theirs if champion else None}
    yield check_that(
        "rows",
        rules.min_rows > 0 and all(score.rows >= rules.min_rows and score.rows == challenger.rows for score in there),
        f"fewer than {rules.min_rows} rows, or not the same number on both sides",
        challenger=challenger.rows,
        champion=champion.rows if champion else None,
        limit=rules.min_rows,
    )
    can_be = all(_possible(rules, each) for score in there for each in _all_of(score))
    yield check_that("possible", can_be, f"a value is missing, not finite or cannot be a {rules.metric}", **both)
    yield check_that(
        "floor", _no_worse(rules, ours, rules.floor), "worse than the worst accepted", **both, limit=rules.floor
    )
    yield check_that(
        "ceiling",
        _no_worse(rules, rules.ceiling, ours),
        "too good to be true: look for a label among the features",
        **both,
        limit=rules.ceiling,
    )


def _all_of(score: Score) -> list[Score | SliceScore]:
    return [score, *score.slices]


def _possible(rules: Gate, side: Score | SliceScore) -> bool:
    return isinstance(rules.metric, Metric) and side.metric is not None and rules.metric.possible(side.metric)


def _no_worse(rules: Gate, value: float, than: float) -> bool:
    """Whether `value` is at least as good as `than`, in the metric's direction. False when either is not finite."""
    if not (math.isfinite(value) and math.isfinite(than) and isinstance(rules.metric, Metric)):
        return False
    return value >= than if rules.metric.higher_is_better else value <= than


def _day(text: str | None, *, absent: date = date.max) -> date:
    """The ISO day of `text`; `absent` when there is none or it is not a day."""
    try:
        return date.fromisoformat(text) if text else absent
    except ValueError:
        return absent
