"""Does the challenger take the champion's place? A pure function of two scores on the same rows, and its record.

It fails closed. Every check is written as what must hold, so that a missing, NaN or unknown value fails it; the
answer is `promote` only when every check of the list was made and none failed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import date

from pydantic import BaseModel, ConfigDict, ValidationError

from ml.evaluation.decision import Check, Decision, Outcome, Verdict, all_hold, check_that, unreadable
from ml.evaluation.metrics import Metric
from ml.evaluation.scores import Evaluation, Role, Score, SliceScore
from ml.models import Gate


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
    for make in (_identity, _numbers, _slices):
        checks.extend(make(challenger, champion, rules, expected))
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
    yield check_that(
        "unseen",
        _day(challenger.trained_until) < _day(challenger.holdout_from, absent=date.min),
        "the challenger may have been trained on held-out rows",
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


def _numbers(challenger: Score, champion: Score | None, rules: Gate, expected: Expected) -> Iterator[Check]:
    """Enough rows, possible values, and the three limits on the metric."""
    del expected
    there = [challenger] + ([champion] if champion else [])
    ours, theirs = _number(challenger.metric), _number(champion.metric if champion else None)
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
    if champion is None:
        yield Check(name="gain", challenger=ours, verdict=Verdict.NOT_APPLICABLE, reason="no champion yet")
        return
    gain = rules.metric.gain(ours, theirs) if isinstance(rules.metric, Metric) else math.nan
    yield check_that(
        "gain",
        gain >= rules.min_gain and gain > 0,
        f"{_percent(gain)} better than the champion, wanted {_percent(rules.min_gain)}",
        **both,
        limit=rules.min_gain,
    )


def _slices(challenger: Score, champion: Score | None, rules: Gate, expected: Expected) -> Iterator[Check]:
    """The same slices on both sides, covering every row, each with enough rows, none worse than tolerated."""
    del expected
    there = [challenger] + ([champion] if champion else [])
    shapes = [sorted((each.dimension, each.value, each.rows) for each in score.slices) for score in there]
    covered = all(_covers(score, rules) for score in there) and all(shape == shapes[0] for shape in shapes)
    yield check_that(
        "slices",
        covered,
        "slices are missing, come twice, do not add up to the rows, or differ between the sides",
        challenger=len(challenger.slices),
        champion=len(champion.slices) if champion else None,
        limit=", ".join(rules.slices),
    )
    smallest = min((each.rows for score in there for each in score.slices), default=0)
    enough = 0 < rules.min_slice_rows <= smallest or not rules.slices
    reason = f"a slice has fewer than {rules.min_slice_rows} rows"
    yield check_that("slice rows", enough, reason, challenger=smallest, limit=rules.min_slice_rows)
    if champion is None:
        yield Check(name="slice gain", verdict=Verdict.NOT_APPLICABLE, reason="no champion yet")
        return
    theirs = champion.of_slices()
    if not challenger.slices:
        yield check_that("slice gain", not rules.slices, "no slice to compare")
    for ours in challenger.slices:
        yield _slice_gain(ours, theirs.get((ours.dimension, ours.value)), rules)


def _slice_gain(ours: SliceScore, theirs: SliceScore | None, rules: Gate) -> Check:
    """One slice: not worse than the champion there by more than the tolerance."""
    mine, other = _number(ours.metric), _number(theirs.metric if theirs else None)
    # Both perfect is no regression; a champion without error admits no ratio otherwise.
    gain = 0.0 if mine == other else rules.metric.gain(mine, other) if isinstance(rules.metric, Metric) else math.nan
    tolerance = rules.slice_tolerance.get(ours.dimension, math.nan)
    return check_that(
        f"slice gain: {ours.name}",
        tolerance >= 0 and gain >= -tolerance,
        f"{_percent(-gain)} worse than the champion, {_percent(tolerance)} tolerated",
        challenger=mine,
        champion=other,
        limit=-tolerance,
    )


def _covers(score: Score, rules: Gate) -> bool:
    """Exactly the dimensions of the rules, no slice twice, each dimension adding up to all rows."""
    rows: Counter[str] = Counter()
    for each in score.slices:
        rows[each.dimension] += each.rows
    once = len(score.of_slices()) == len(score.slices)
    return once and set(rows) == set(rules.slices) and all(total == score.rows for total in rows.values())


def _all_of(score: Score) -> list[Score | SliceScore]:
    return [score, *score.slices]


def _possible(rules: Gate, side: Score | SliceScore) -> bool:
    return isinstance(rules.metric, Metric) and side.metric is not None and rules.metric.possible(side.metric)


def _no_worse(rules: Gate, value: float, than: float) -> bool:
    """Whether `value` is at least as good as `than`, in the metric's direction. False when either is not finite."""
    if not (math.isfinite(value) and math.isfinite(than) and isinstance(rules.metric, Metric)):
        return False
    return value >= than if rules.metric.higher_is_better else value <= than


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _day(text: str | None, *, absent: date = date.max) -> date:
    """The ISO day of `text`; `absent` when there is none or it is not a day."""
    try:
        return date.fromisoformat(text) if text else absent
    except ValueError:
        return absent


def _percent(share: float) -> str:
    return f"{share:.2%}" if math.isfinite(share) else "not a number"
