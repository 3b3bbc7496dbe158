"""The gate says no. Each case takes two scores that promote, spoils one thing, and expects `keep` with that reason."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ml.evaluation.decision import REQUIRED, REQUIRED_1, Check, Decision, Outcome, Verdict, unreadable
from ml.evaluation.gate import Expected, decide, decide_evaluation
from ml.evaluation.metrics import BRIER, MAE, METRICS, ROC_AUC, Metric, judged_by
from ml.evaluation.scores import Baseline, Evaluation, Gain, Interval, Role, Score, SliceScore
from ml.models import Gate

RULES = Gate(
    metric=MAE,
    floor=15.0,
    ceiling=2.0,
    min_gain=0.01,
    min_rows=1000,
    min_slice_rows=100,
    slice_tolerance={"origin": 0.05, "carrier": 0.15},
)
AUC_RULES = RULES.model_copy(update={"metric": ROC_AUC, "floor": 0.55, "ceiling": 0.95})
EXPECTED = Expected(holdout_hash="rows", champion_hash="old")


def slices(level: float) -> tuple[SliceScore, ...]:
    return (
        SliceScore(dimension="origin", value="EWR", rows=700, metric=level),
        SliceScore(dimension="origin", value="JFK", rows=500, metric=level),
        SliceScore(dimension="carrier", value="UA", rows=1200, metric=level),
    )


def score(role: Role, level: float, **changes: Any) -> Score:
    values: dict[str, Any] = {
        "role": role,
        "model_hash": {Role.CHALLENGER: "new", Role.CHAMPION: "old"}[role],
        "holdout_hash": "rows",
        "rows": 1200,
        "name": "mae",
        "metric": level,
        "slices": slices(level),
        "trained_until": "2013-04-21",
        "holdout_from": "2013-04-22",
    }
    return Score(**{**values, **changes})


def challenger(**changes: Any) -> Score:
    return score(Role.CHALLENGER, 6.0, **changes)


def champion(**changes: Any) -> Score:
    return score(Role.CHAMPION, 7.0, **changes)


def gain(metric: Metric, ours: float | None, theirs: float | None, noise: float) -> Gain:
    share = math.nan if ours is None or theirs is None else metric.gain(ours, theirs)
    return Gain(metric=str(metric), share=share, interval=Interval(low=share - noise, high=share + noise))


def compared(
    ours: Score, theirs: Score | None, metric: Metric = MAE, *, noise: float = 0.004, **levels: float
) -> Score:
    """The challenger with what an evaluation measures of it beside the champion, and beside baselines at `levels`."""
    level = {"constant": 0.5 if metric is ROC_AUC else 20.0, **levels}
    there = {} if theirs is None else theirs.of_slices()
    judged = judged_by(metric)
    others = {} if theirs is None else theirs.others
    return ours.model_copy(
        update={
            "gains": ()
            if theirs is None
            else tuple(
                gain(each, ours.value_of(str(each)), theirs.metric if each is metric else others.get(str(each)), noise)
                for each in judged
            ),
            "slices": tuple(
                each.model_copy(update={"gain": gain(metric, each.metric, there[key].metric, noise)})
                if (key := (each.dimension, each.value)) in there
                else each
                for each in ours.slices
            ),
            "baselines": tuple(
                Baseline(name=name, value=value, gain=gain(each, ours.value_of(str(each)), value, noise))
                for each in judged
                for name, value in (level.items() if each is metric else [("constant", 0.25)])
            ),
        }
    )


def judge(ours: Score, theirs: Score | None, rules: Gate = RULES, expected: Expected = EXPECTED) -> Decision:
    metric = rules.metric if isinstance(rules.metric, Metric) else MAE
    return decide(compared(ours, theirs, metric), theirs, rules, expected)


def failures(decision: Decision) -> set[str]:
    return {check.name for check in decision.checks if check.verdict is Verdict.FAILED}


def with_slice(side: Score, name: str, **changes: Any) -> Score:
    spoiled = tuple(each.model_copy(update=changes) if each.name == name else each for each in side.slices)
    return side.model_copy(update={"slices": spoiled})


def test_a_better_challenger_on_the_same_rows_is_promoted() -> None:
    decision = judge(challenger(), champion())

    assert decision.outcome is Outcome.PROMOTE
    assert {check.name.split(":")[0] for check in decision.checks} == set(REQUIRED)
    assert all(check.verdict is Verdict.PASSED for check in decision.checks)


def test_the_first_model_needs_no_champion_but_must_meet_the_absolute_limits() -> None:
    none_yet = Expected(holdout_hash="rows", champion_hash=None)

    assert judge(challenger(), None, RULES, none_yet).outcome is Outcome.PROMOTE
    too_bad = score(Role.CHALLENGER, 15.1)
    assert failures(judge(too_bad, None, RULES, none_yet)) == {"floor"}
    too_good = score(Role.CHALLENGER, 1.9)
    assert failures(judge(too_good, None, RULES, none_yet)) == {"ceiling"}


SPOILED: dict[str, tuple[Score, Score | None, str]] = {
    "champion compared with itself": (score(Role.CHALLENGER, 7.0, model_hash="old"), champion(), "distinct"),
    "champion's model under the challenger's better score": (challenger(model_hash="old"), champion(), "distinct"),
    "challenger without a hash": (challenger(model_hash=""), champion(), "distinct"),
    "swapped arguments": (champion(), challenger(), "sides"),
    "challenger on both sides": (challenger(), challenger(), "sides"),
    "another champion than the registry's": (challenger(), champion(model_hash="older"), "champion"),
    "champion not scored though there is one": (challenger(), None, "champion"),
    "other rows for the challenger": (challenger(holdout_hash="others"), champion(), "holdout"),
    "other rows for the champion": (challenger(), champion(holdout_hash="others"), "holdout"),
    "both on rows that were not held out": (challenger(holdout_hash="x"), champion(holdout_hash="x"), "holdout"),
    "another metric": (challenger(name="rmse"), champion(), "metric"),
    "an unknown metric on both sides": (challenger(name="magic"), champion(name="magic"), "metric"),
    "trained on the first held-out day": (challenger(trained_until="2013-04-22"), champion(), "unseen"),
    "unknown training days": (challenger(trained_until=None), champion(), "unseen"),
    "unknown holdout days": (challenger(holdout_from=None), champion(), "unseen"),
    "a day that is none": (challenger(trained_until="yesterday"), champion(), "unseen"),
    "no metric": (challenger(metric=None), champion(), "possible"),
    "NaN": (challenger(metric=math.nan), champion(), "possible"),
    "NaN for the champion": (challenger(), champion(metric=math.nan), "possible"),
    "infinity for the champion": (challenger(), champion(metric=math.inf), "possible"),
    "minus infinity": (challenger(metric=-math.inf), champion(), "possible"),
    "negative error": (challenger(metric=-1.0), champion(), "possible"),
    "worse than the floor": (score(Role.CHALLENGER, 15.5), score(Role.CHAMPION, 20.0), "floor"),
    "a leaked label": (score(Role.CHALLENGER, 0.01), champion(), "ceiling"),
    "no better": (score(Role.CHALLENGER, 7.0), champion(), "gain"),
    "better by less than the margin": (score(Role.CHALLENGER, 6.94), champion(), "gain"),
    "worse": (score(Role.CHALLENGER, 8.0), champion(), "gain"),
    "champion at zero": (challenger(), champion(metric=0.0), "gain"),
    "better by more than is plausible": (score(Role.CHALLENGER, 2.1), champion(), "gain ceiling"),
    "champion trained on the held-out rows": (challenger(), champion(trained_until="2013-05-03"), "unseen"),
    "champion of unknown training days": (challenger(), champion(trained_until=None), "unseen"),
    "challenger 23 years older than the rows": (challenger(trained_until="1990-04-21"), champion(), "recent"),
    "a month and a day older": (challenger(trained_until="2013-03-21"), champion(), "recent"),
    "no rows": (challenger(rows=0), champion(rows=0), "rows"),
    "too few rows": (challenger(rows=999), champion(rows=999), "rows"),
    "fewer rows for the champion": (challenger(), champion(rows=1199), "rows"),
    "no slices": (challenger(slices=()), champion(slices=()), "slices"),
    "slices on one side only": (challenger(), champion(slices=()), "slices"),
    "a dimension left out": (challenger(slices=slices(6.0)[:2]), champion(slices=slices(7.0)[:2]), "slices"),
    "a slice left out": (challenger(slices=slices(6.0)[1:]), champion(slices=slices(7.0)[1:]), "slices"),
    "a slice twice": (challenger(slices=slices(6.0) * 2), champion(slices=slices(7.0) * 2), "slices"),
    "other slices for the champion": (challenger(), with_slice(champion(), "origin=EWR", value="LGA"), "slices"),
    "an undeclared dimension": (
        challenger(slices=(*slices(6.0), SliceScore(dimension="dest", value="BOS", rows=1200, metric=6.0))),
        champion(slices=(*slices(7.0), SliceScore(dimension="dest", value="BOS", rows=1200, metric=7.0))),
        "slices",
    ),
    "an empty slice": (
        challenger(slices=(*slices(6.0), SliceScore(dimension="origin", value="LGA", rows=0, metric=6.0))),
        champion(slices=(*slices(7.0), SliceScore(dimension="origin", value="LGA", rows=0, metric=7.0))),
        "slice rows",
    ),
    "a slice with NaN": (with_slice(challenger(), "origin=JFK", metric=math.nan), champion(), "possible"),
    "a slice without metric": (with_slice(challenger(), "origin=JFK", metric=None), champion(), "possible"),
    "a slice that regresses": (
        with_slice(challenger(), "origin=JFK", metric=7.36),
        champion(),
        "slice gain: origin=JFK",
    ),
    "a slice that regresses from zero": (
        challenger(),
        with_slice(champion(), "origin=JFK", metric=0.0),
        "slice gain: origin=JFK",
    ),
}


@pytest.mark.parametrize("case", SPOILED)
def test_one_spoiled_thing_keeps_the_champion(case: str) -> None:
    ours, theirs, check = SPOILED[case]

    decision = judge(ours, theirs)

    assert decision.outcome is Outcome.KEEP
    assert check in failures(decision)
    assert any(reason.startswith(check) for reason in decision.reasons)


SPOILED_COMPARISONS: dict[str, tuple[dict[str, Any], str]] = {
    "no gain was measured": ({"gains": ()}, "gain"),
    "measured twice": ({"gains": (gain(MAE, 6.0, 7.0, 0.01),) * 2}, "gain"),
    "of another metric": ({"gains": (gain(METRICS["rmse"], 6.0, 7.0, 0.01),)}, "gain"),
    "another gain than the values give": ({"gains": (gain(MAE, 5.9, 7.0, 0.01),)}, "gain"),
    "chance alone may give it": ({"gains": (gain(MAE, 6.0, 7.0, 0.15),)}, "gain"),
    "an interval down to zero": ({"gains": (gain(MAE, 6.0, 7.0, 1 / 7),)}, "gain"),
    "too few days for an interval": ({"gains": (Gain(metric="mae", share=1 / 7),)}, "gain"),
    "an infinite interval": (
        {"gains": (Gain(metric="mae", share=1 / 7, interval=Interval(low=0.1, high=math.inf)),)},
        "gain",
    ),
    "an interval upside down": (
        {"gains": (Gain(metric="mae", share=1 / 7, interval=Interval(low=0.2, high=0.1)),)},
        "gain",
    ),
    "no baseline": ({"baselines": ()}, "baseline"),
    "no constant among the baselines": (
        {"baselines": (Baseline(name="by origin", value=9.0, gain=gain(MAE, 6.0, 9.0, 0.01)),)},
        "baseline",
    ),
    "a constant is better": (
        {"baselines": (Baseline(name="constant", value=5.9, gain=gain(MAE, 6.0, 5.9, 0.01)),)},
        "baseline: constant",
    ),
    "a constant is as good": (
        {"baselines": (Baseline(name="constant", value=6.0, gain=gain(MAE, 6.0, 6.0, 0.01)),)},
        "baseline: constant",
    ),
    "another gain over the constant than the values give": (
        {"baselines": (Baseline(name="constant", value=5.9, gain=gain(MAE, 6.0, 14.0, 0.01)),)},
        "baseline: constant",
    ),
}


@pytest.mark.parametrize("case", SPOILED_COMPARISONS)
def test_one_spoiled_comparison_keeps_the_champion(case: str) -> None:
    changes, check = SPOILED_COMPARISONS[case]

    decision = decide(compared(challenger(), champion()).model_copy(update=changes), champion(), RULES, EXPECTED)

    assert decision.outcome is Outcome.KEEP
    assert failures(decision) <= {check, "gain ceiling"}
    assert check in failures(decision)


def test_scores_whose_difference_may_be_chance_keep_the_champion() -> None:
    """6.92 [5, 9] beside 7.00 [5, 9]."""
    ours = compared(score(Role.CHALLENGER, 6.92), champion(), noise=0.2)

    assert failures(decide(ours, champion(), RULES, EXPECTED)) == {"gain"}
    sure = compared(score(Role.CHALLENGER, 6.92), champion(), noise=0.001)
    assert decide(sure, champion(), RULES, EXPECTED).outcome is Outcome.PROMOTE


@pytest.mark.parametrize(("level", "outcome"), [(6.93, "promote"), (6.9301, "keep")])
def test_exactly_the_margin_is_enough(level: float, outcome: str) -> None:
    assert judge(score(Role.CHALLENGER, level), champion()).outcome == outcome


@pytest.mark.parametrize(("level", "failed"), [(4.9, set()), (4.89, {"gain ceiling"})])
def test_a_gain_beyond_what_is_plausible_waits_for_a_person(level: float, failed: set[str]) -> None:
    assert failures(judge(score(Role.CHALLENGER, level), champion())) == failed


@pytest.mark.parametrize("day", ["2013-03-22", "2013-04-21"])
def test_training_may_end_a_month_before_the_held_out_rows(day: str) -> None:
    assert judge(challenger(trained_until=day), champion()).outcome is Outcome.PROMOTE


def test_a_tie_keeps_the_champion_even_without_a_margin() -> None:
    anything_better = RULES.model_copy(update={"min_gain": 0.0})

    assert failures(judge(score(Role.CHALLENGER, 7.0), champion(), anything_better)) == {"gain"}
    assert judge(score(Role.CHALLENGER, 6.9), champion(), anything_better).outcome is Outcome.PROMOTE


@pytest.mark.parametrize(
    ("noise", "stated", "failed"),
    [(0.1, True, set()), (0.05, True, {"slice gain: origin=JFK"}), (0.1, False, {"slice gain: origin=JFK"})],
)
def test_a_slice_that_is_worse_by_chance_does_not_block(noise: float, stated: bool, failed: set[str]) -> None:
    """Six per cent worse where five are tolerated; without an interval chance is no excuse."""
    ours = compared(with_slice(challenger(), "origin=JFK", metric=7.42), champion())
    measured = gain(MAE, 7.42, 7.0, noise) if stated else Gain(metric="mae", share=-0.06)

    assert failures(decide(with_slice(ours, "origin=JFK", gain=measured), champion(), RULES, EXPECTED)) == failed


@pytest.mark.parametrize("measured", [None, gain(MAE, 6.0, 7.1, 0.01), gain(BRIER, 6.0, 7.0, 0.01)], ids=str)
def test_a_slice_whose_gain_is_not_the_one_of_its_values_blocks(measured: Gain | None) -> None:
    ours = with_slice(compared(challenger(), champion()), "origin=JFK", gain=measured)

    assert failures(decide(ours, champion(), RULES, EXPECTED)) == {"slice gain: origin=JFK"}


def test_the_order_of_slices_does_not_matter() -> None:
    turned = champion(slices=slices(7.0)[::-1])

    assert judge(challenger(), turned).outcome is Outcome.PROMOTE


@pytest.mark.parametrize(("noise", "outcome"), [(0.01, "promote"), (0.6, "keep")])
def test_a_first_model_beats_the_constant_beyond_chance(noise: float, outcome: str) -> None:
    """With a champion there, being better is enough: refusing it would leave the worse one serving."""
    first = Expected(holdout_hash="rows", champion_hash=None)
    ours = compared(challenger(), None).model_copy(
        update={"baselines": (Baseline(name="constant", value=9.0, gain=gain(MAE, 6.0, 9.0, noise)),)}
    )

    assert decide(ours, None, RULES, first).outcome == outcome
    beside = compared(challenger(), champion()).model_copy(update={"baselines": ours.baselines})
    assert decide(beside, champion(), RULES, EXPECTED).outcome is Outcome.PROMOTE


def test_a_declared_naive_feature_must_be_measured_and_beaten() -> None:
    naive = RULES.model_copy(update={"naive_feature": "route_mean"})

    assert failures(judge(challenger(), champion(), naive)) == {"baseline"}
    for level, failed in ((6.5, set()), (5.9, {"baseline: route_mean"})):
        ours = compared(challenger(), champion(), route_mean=level)
        assert failures(decide(ours, champion(), naive, EXPECTED)) == failed


@pytest.mark.parametrize(
    ("brier", "noise", "failed"),
    [
        (0.16, 0.004, set()),
        (0.163, 0.004, {"gain: brier"}),
        (0.163, 0.03, set()),
        (0.1615, 0.004, set()),
        (0.26, 0.7, {"baseline: constant, brier"}),
        (None, 0.004, {"gain: brier", "baseline: constant, brier"}),
    ],
)
def test_ranks_alone_do_not_promote_a_classifier(brier: float | None, noise: float, failed: set[str]) -> None:
    """Its Brier score is no worse than the champion's (0.16) beyond chance, and better than the constant's (0.25)."""
    there = {"name": "roc_auc"}
    ours = challenger(metric=0.72, slices=slices(0.72), others={} if brier is None else {"brier": brier}, **there)
    theirs = champion(metric=0.70, slices=slices(0.70), others={"brier": 0.16}, **there)
    beside = compared(ours, theirs, ROC_AUC, noise=0.004)
    second = tuple(gain(BRIER, brier, 0.16, noise) if each.metric == "brier" else each for each in beside.gains)

    decision = decide(beside.model_copy(update={"gains": second}), theirs, AUC_RULES, EXPECTED)

    assert failures(decision) == failed


def test_the_check_says_the_compared_share_and_its_interval() -> None:
    check = next(each for each in judge(challenger(), champion()).checks if each.name == "gain")

    assert (check.gain, check.low, check.high) == pytest.approx((1 / 7, 1 / 7 - 0.004, 1 / 7 + 0.004))


def test_a_champion_the_registry_does_not_know_is_refused() -> None:
    unknown = Expected(holdout_hash="rows", champion_hash=None)

    assert "champion" in failures(judge(challenger(), champion(), RULES, unknown))


def test_an_empty_hash_of_the_holdout_is_no_holdout() -> None:
    nothing = EXPECTED.model_copy(update={"holdout_hash": ""})

    assert "holdout" in failures(judge(challenger(holdout_hash=""), champion(holdout_hash=""), RULES, nothing))


def test_an_area_under_the_curve_is_better_when_it_rises() -> None:
    better, worse = (
        {"name": "roc_auc", "metric": level, "slices": slices(level), "others": {"brier": 0.16}}
        for level in (0.72, 0.70)
    )

    assert judge(challenger(**better), champion(**worse), AUC_RULES, EXPECTED).outcome is Outcome.PROMOTE
    assert failures(judge(challenger(**worse), champion(**better), AUC_RULES, EXPECTED)) == {"gain"}


@pytest.mark.parametrize(
    ("level", "check"), [(0.54, "floor"), (0.96, "ceiling"), (1.2, "possible"), (-0.1, "possible")]
)
def test_the_limits_turn_with_the_direction_of_the_metric(level: float, check: str) -> None:
    ours = challenger(name="roc_auc", metric=level, slices=slices(level))

    assert check in failures(judge(ours, None, AUC_RULES, Expected(holdout_hash="rows", champion_hash=None)))


def test_a_slice_may_be_worse_by_no_more_than_its_own_tolerance() -> None:
    at_the_limit = with_slice(challenger(), "origin=JFK", metric=7.35)
    carrier = with_slice(challenger(), "carrier=UA", metric=7.9)

    assert judge(at_the_limit, champion()).outcome is Outcome.PROMOTE
    assert judge(carrier, champion()).outcome is Outcome.PROMOTE


@pytest.mark.parametrize(
    "limits",
    [
        {"floor": math.nan},
        {"ceiling": math.nan},
        {"min_gain": math.nan},
        {"min_rows": 0},
        {"min_slice_rows": 0},
        {"slice_tolerance": {"origin": math.nan, "carrier": 0.15}},
        {"slice_tolerance": {"origin": -0.5, "carrier": 0.15}},
        {"slice_tolerance": {"origin": 0.05}},
        {"metric": "magic"},
        {"metric": None},
    ],
    ids=str,
)
def test_limits_that_make_no_sense_keep_the_champion(limits: dict[str, Any]) -> None:
    unchecked = Gate.model_construct(**{**dict(RULES), **limits})

    assert judge(challenger(), champion(), unchecked, EXPECTED).outcome is Outcome.KEEP


def test_a_model_without_slices_is_judged_by_the_whole() -> None:
    whole = RULES.model_copy(update={"slice_tolerance": {}})

    assert judge(challenger(slices=()), champion(slices=()), whole, EXPECTED).outcome is Outcome.PROMOTE


def test_a_decision_cannot_claim_a_promotion_its_checks_deny() -> None:
    kept = judge(score(Role.CHALLENGER, 8.0), champion())

    with pytest.raises(ValidationError, match="every check made"):
        Decision(outcome=Outcome.PROMOTE, reasons=(), checks=kept.checks)
    with pytest.raises(ValidationError, match="every check made"):
        Decision(outcome=Outcome.PROMOTE, reasons=(), checks=())
    excused = tuple(Check(name=name, verdict=Verdict.NOT_APPLICABLE) for name in REQUIRED)
    with pytest.raises(ValidationError, match="every check made"):
        Decision(outcome=Outcome.PROMOTE, reasons=(), checks=excused)


@pytest.mark.parametrize("name", ["gain", "gain ceiling", "slice gain"])
def test_a_comparison_is_left_out_only_where_there_is_no_champion(name: str) -> None:
    """A record that says `not_applicable` although a champion was scored is not one of a promotion."""
    promoted = judge(challenger(), champion())
    excused = tuple(
        Check(name=check.name, verdict=Verdict.NOT_APPLICABLE) if check.name.split(":")[0] == name else check
        for check in promoted.checks
    )

    with pytest.raises(ValidationError, match="every check made"):
        Decision(outcome=Outcome.PROMOTE, reasons=(), checks=excused)


def test_a_decision_of_the_first_format_is_held_to_the_checks_there_were() -> None:
    old = tuple(check for check in judge(challenger(), champion()).checks if check.name.split(":")[0] in REQUIRED_1)
    text = Decision(outcome=Outcome.KEEP, reasons=(), checks=old).model_dump(mode="json") | {"outcome": "promote"}

    read = Decision.model_validate_json(json.dumps({**text, "format_version": 1}))

    assert read.outcome is Outcome.PROMOTE
    with pytest.raises(ValidationError, match="every check made"):
        Decision.model_validate_json(json.dumps({**text, "format_version": 2}))


def test_the_record_survives_json_with_its_impossible_numbers() -> None:
    decision = judge(challenger(metric=math.nan), champion(metric=math.inf))

    back = Decision.model_validate_json(decision.model_dump_json())

    assert (back.outcome, back.reasons) == (decision.outcome, decision.reasons)
    possible = next(check for check in json.loads(decision.model_dump_json())["checks"] if check["name"] == "possible")
    assert (possible["challenger"], possible["champion"]) == ("NaN", "Infinity")


def test_a_challenger_that_was_not_scored_is_kept_out() -> None:
    assert decide(None, champion(), RULES, EXPECTED).outcome is Outcome.KEEP
    assert decide(None, None, RULES, Expected(holdout_hash="rows", champion_hash=None)).outcome is Outcome.KEEP


def test_a_score_that_cannot_be_read_keeps_the_champion() -> None:
    assert unreadable("evaluation.json: not there").outcome is Outcome.KEEP


def evaluation(**changes: Any) -> str:
    values: dict[str, Any] = {
        "month": "2013-04",
        "metric": "mae",
        "unit": "min",
        "challenger": compared(challenger(), champion()),
        "champion": champion(),
        "champion_version": 1,
    }
    return Evaluation(**{**values, **changes}).model_dump_json()


def judged(text: str | None) -> Decision:
    return decide_evaluation(text, RULES, holdout_hash="rows", champion_hash="old")


def test_an_evaluation_is_judged_by_what_is_known_elsewhere() -> None:
    assert judged(evaluation()).outcome is Outcome.PROMOTE
    assert failures(decide_evaluation(evaluation(), RULES, holdout_hash="x", champion_hash="old")) == {"holdout"}
    assert "champion" in failures(decide_evaluation(evaluation(), RULES, holdout_hash="rows", champion_hash="newer"))
    assert "champion" in failures(decide_evaluation(evaluation(), RULES, holdout_hash="rows", champion_hash=None))


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "null", "[]", "{}", evaluation().replace('"rows"', '"lines"'), evaluation()[:-20]],
    ids=["none", "empty", "torn", "null", "list", "no keys", "another key", "truncated"],
)
def test_an_evaluation_that_cannot_be_read_keeps_the_champion(text: str | None) -> None:
    assert judged(text).outcome is Outcome.KEEP


def test_a_champion_that_could_not_be_scored_stays() -> None:
    decision = judged(evaluation(champion=None, champion_problem="model.skops: truncated"))

    assert decision.outcome is Outcome.KEEP
    assert "truncated" in decision.reasons[0]


anything = st.floats() | st.none()


@given(ours=anything, theirs=anything, ours_ewr=anything, theirs_ewr=anything)
def test_whatever_the_numbers_a_promotion_is_finite_believable_and_better(
    ours: float | None, theirs: float | None, ours_ewr: float | None, theirs_ewr: float | None
) -> None:
    decision = judge(
        with_slice(challenger(metric=ours), "origin=EWR", metric=ours_ewr),
        with_slice(champion(metric=theirs), "origin=EWR", metric=theirs_ewr),
        RULES,
        EXPECTED,
    )

    if decision.outcome is Outcome.PROMOTE:
        assert None not in (ours, theirs, ours_ewr, theirs_ewr)
        assert 2.0 <= ours <= 15.0
        assert ours < theirs < math.inf
        assert 0 <= ours_ewr <= theirs_ewr * 1.0500001 < math.inf


@given(level=st.floats(2.0, 15.0), share=st.floats(0.011, 0.5), sees=st.sampled_from(["mae", "rmse", "log_loss"]))
def test_what_is_promoted_one_way_is_kept_the_other_way(level: float, share: float, sees: str) -> None:
    rules = RULES.model_copy(
        update={"metric": METRICS[sees], "floor": 1e9, "ceiling": 0.0, "max_gain": 0.6, "slice_tolerance": {}}
    )

    def better(role: Role) -> Score:
        return score(role, level * (1 - share), name=sees, slices=())

    def worse(role: Role) -> Score:
        return score(role, level, name=sees, slices=())

    assert judge(better(Role.CHALLENGER), worse(Role.CHAMPION), rules, EXPECTED).outcome is Outcome.PROMOTE
    assert judge(worse(Role.CHALLENGER), better(Role.CHAMPION), rules, EXPECTED).outcome is Outcome.KEEP
