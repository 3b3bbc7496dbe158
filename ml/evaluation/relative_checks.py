"""The gate's checks beside another: the champion, the predictors without a model, and the champion slice by slice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from ml.evaluation.baselines import CONSTANT
from ml.evaluation.decision import Check, Verdict, check_that
from ml.evaluation.metrics import Metric, judged_by
from ml.evaluation.scores import Baseline, Gain, Score, SliceScore
from ml.models import Gate


def gain_checks(challenger: Score, champion: Score | None, rules: Gate) -> Iterator[Check]:
    """Better than the champion by what counts, beyond chance, and not so much that a leak is likelier."""
    if champion is None:
        for name in ("gain", "gain ceiling"):
            yield Check(name=name, verdict=Verdict.NOT_APPLICABLE, reason="no champion yet")
        return
    for metric in _judged(rules):
        found = _Compared.of(metric, challenger, champion, _stated(challenger.gains, str(metric)))
        if metric is not rules.metric:
            reason = f"than the champion, {percent(rules.min_gain)} worse tolerated"
            yield found.check(f"gain: {metric}", found.no_worse(rules.min_gain), reason, limit=-rules.min_gain)
            continue
        better = found.beyond_chance and found.share >= rules.min_gain
        yield found.check("gain", better, f"than the champion, wanted {percent(rules.min_gain)}", limit=rules.min_gain)
        small = found.stated and found.share <= rules.max_gain
        reason = "than the champion in one step: a person looks for a leak, and raises gate.max_gain if there is none"
        yield found.check("gain ceiling", small, reason, limit=rules.max_gain)
    if not _judged(rules):
        yield check_that("gain", False, "unknown metric")


def baseline_checks(challenger: Score, champion: Score | None, rules: Gate) -> Iterator[Check]:
    """Better than every predictor without a model; without a champion, than the constant beyond chance."""
    for metric in _judged(rules):
        mine = [each for each in challenger.baselines if each.gain.metric == str(metric)]
        wanted = {CONSTANT} | ({rules.naive_feature} if rules.naive_feature and metric is rules.metric else set())
        missing = wanted - {each.name for each in mine}
        if missing:
            yield check_that("baseline", False, f"not measured by {metric}: {', '.join(sorted(missing))}")
        for each in mine:
            found = _Compared.of(metric, challenger, each, each.gain)
            excused = champion is not None or each.name != CONSTANT
            holds = found.stated and found.share > 0 and (excused or found.low > 0)
            name = f"baseline: {each.name}" + ("" if metric is rules.metric else f", {metric}")
            yield found.check(name, holds, "than what needs no model", limit=0.0)


@dataclass(frozen=True)
class _Compared:
    """The challenger beside another, by one metric."""

    mine: float
    other: float
    share: float
    low: float
    high: float
    stated: bool
    """The evaluation says the same gain as its two values give."""

    @classmethod
    def of(
        cls, metric: Metric, ours: Score | SliceScore, theirs: Score | SliceScore | Baseline, gain: Gain | None
    ) -> Self:
        """`gain` is what the evaluation states; ends are NaN where it states none that can be."""
        mine, other = (_value(side, metric) for side in (ours, theirs))
        share = metric.gain(mine, other)
        said = gain is not None and gain.metric == str(metric) and math.isclose(gain.share, share, abs_tol=1e-6)
        ends = gain.interval if gain is not None else None
        usable = ends is not None and math.isfinite(ends.low) and math.isfinite(ends.high) and ends.low <= ends.high
        low, high = (ends.low, ends.high) if ends is not None and usable else (math.nan, math.nan)
        return cls(mine, other, share, low, high, said)

    @property
    def beyond_chance(self) -> bool:
        """Better, and the interval says so; without one it does not."""
        return self.stated and self.share > 0 and self.low > 0

    def no_worse(self, tolerance: float) -> bool:
        """Not worse by more than `tolerance`, or by chance; without an interval, chance excuses nothing."""
        return self.stated and tolerance >= 0 and (self.share >= -tolerance or self.high >= 0)

    def check(self, name: str, holds: bool, reason: str, *, limit: float) -> Check:
        """With the compared values and the interval; the reason begins with them."""
        ends = f" ({percent(self.low)} to {percent(self.high)})" if math.isfinite(self.low) else ", no interval"
        said = f"{_words(self.share)}{ends} {reason}"
        values = {"challenger": self.mine, "champion": self.other, "limit": limit, "gain": self.share}
        return check_that(name, holds, said, **values, low=_known(self.low), high=_known(self.high))


def slice_checks(challenger: Score, champion: Score | None, rules: Gate) -> Iterator[Check]:
    """The same slices on both sides, covering every row, each with enough rows, none worse than tolerated."""
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
    """One slice: not worse than the champion there by more than the tolerance, and beyond chance."""
    tolerance = rules.slice_tolerance.get(ours.dimension, math.nan)
    name, reason = f"slice gain: {ours.name}", f"than the champion, {percent(tolerance)} worse tolerated"
    if theirs is None or not isinstance(rules.metric, Metric):
        return check_that(name, False, "the champion was not scored there")
    found = _Compared.of(rules.metric, ours, theirs, ours.gain)
    return found.check(name, found.no_worse(tolerance), reason, limit=-tolerance)


def _covers(score: Score, rules: Gate) -> bool:
    """Exactly the dimensions of the rules, no slice twice, each dimension adding up to all rows."""
    rows: Counter[str] = Counter()
    for each in score.slices:
        rows[each.dimension] += each.rows
    once = len(score.of_slices()) == len(score.slices)
    return once and set(rows) == set(rules.slices) and all(total == score.rows for total in rows.values())


def _judged(rules: Gate) -> tuple[Metric, ...]:
    """None for a metric that is none."""
    return judged_by(rules.metric) if isinstance(rules.metric, Metric) else ()


def _stated(gains: Sequence[Gain], metric: str) -> Gain | None:
    """The one gain by this metric; None if there is none or there are two."""
    found = [gain for gain in gains if gain.metric == metric]
    return found[0] if len(found) == 1 else None


def _value(side: Score | SliceScore | Baseline, metric: Metric) -> float:
    match side:
        case Score():
            return number(side.value_of(str(metric)))
        case SliceScore():
            return number(side.metric)
        case Baseline():
            return side.value


def _words(share: float) -> str:
    return f"{percent(abs(share))} {'worse' if share < 0 else 'better'}"


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def number(value: float | None) -> float:
    """NaN for None: a value that is not there fails every comparison."""
    return math.nan if value is None else float(value)


def percent(share: float | None) -> str:
    """A share in a reason."""
    return f"{share:z.2%}" if share is not None and math.isfinite(share) else "not a number"
