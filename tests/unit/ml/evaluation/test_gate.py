"""The gate says no. Each case takes two scores that promote, spoils one thing, and expects `keep` with that reason."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ml.evaluation.decision import REQUIRED, Check, Decision, Outcome, Verdict, unreadable
from ml.evaluation.gate import Expected, decide, decide_evaluation
from ml.evaluation.metrics import MAE, METRICS, ROC_AUC
from ml.evaluation.scores import Evaluation, Role, Score, SliceScore
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


def failures(decision: Decision) -> set[str]:
    return {check.name for check in decision.checks if check.verdict is Verdict.FAILED}


def with_slice(side: Score, name: str, **changes: Any) -> Score:
    spoiled = tuple(each.model_copy(update=changes) if each.name == name else each for each in side.slices)
    return side.model_copy(update={"slices": spoiled})


def test_a_better_challenger_on_the_same_rows_is_promoted() -> None:
    decision = decide(challenger(), champion(), RULES, EXPECTED)

    assert decision.outcome is Outcome.PROMOTE
    assert {check.name.split(":")[0] for check in decision.checks} == set(REQUIRED)
    assert all(check.verdict is Verdict.PASSED for check in decision.checks)


def test_the_first_model_needs_no_champion_but_must_meet_the_absolute_limits() -> None:
    none_yet = Expected(holdout_hash="rows", champion_hash=None)

    assert decide(challenger(), None, RULES, none_yet).outcome is Outcome.PROMOTE
    too_bad = score(Role.CHALLENGER, 15.1)
    assert failures(decide(too_bad, None, RULES, none_yet)) == {"floor"}
    too_good = score(Role.CHALLENGER, 1.9)
    assert failures(decide(too_good, None, RULES, none_yet)) == {"ceiling"}


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

    decision = decide(ours, theirs, RULES, EXPECTED)

    assert decision.outcome is Outcome.KEEP
    assert check in failures(decision)
    assert any(reason.startswith(check) for reason in decision.reasons)


def test_a_champion_the_registry_does_not_know_is_refused() -> None:
    unknown = Expected(holdout_hash="rows", champion_hash=None)

    assert "champion" in failures(decide(challenger(), champion(), RULES, unknown))


def test_an_empty_hash_of_the_holdout_is_no_holdout() -> None:
    nothing = EXPECTED.model_copy(update={"holdout_hash": ""})

    assert "holdout" in failures(decide(challenger(holdout_hash=""), champion(holdout_hash=""), RULES, nothing))


def test_an_area_under_the_curve_is_better_when_it_rises() -> None:
    better, worse = ({"name": "roc_auc", "metric": level, "slices": slices(level)} for level in (0.72, 0.70))

    assert decide(challenger(**better), champion(**worse), AUC_RULES, EXPECTED).outcome is Outcome.PROMOTE
    assert failures(decide(challenger(**worse), champion(**better), AUC_RULES, EXPECTED)) == {"gain"}


@pytest.mark.parametrize(
    ("level", "check"), [(0.54, "floor"), (0.96, "ceiling"), (1.2, "possible"), (-0.1, "possible")]
)
def test_the_limits_turn_with_the_direction_of_the_metric(level: float, check: str) -> None:
    ours = challenger(name="roc_auc", metric=level, slices=slices(level))

    assert check in failures(decide(ours, None, AUC_RULES, Expected(holdout_hash="rows", champion_hash=None)))


def test_a_slice_may_be_worse_by_no_more_than_its_own_tolerance() -> None:
    at_the_limit = with_slice(challenger(), "origin=JFK", metric=7.35)
    carrier = with_slice(challenger(), "carrier=UA", metric=7.9)

    assert decide(at_the_limit, champion(), RULES, EXPECTED).outcome is Outcome.PROMOTE
    assert decide(carrier, champion(), RULES, EXPECTED).outcome is Outcome.PROMOTE


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

    assert decide(challenger(), champion(), unchecked, EXPECTED).outcome is Outcome.KEEP


def test_a_model_without_slices_is_judged_by_the_whole() -> None:
    whole = RULES.model_copy(update={"slice_tolerance": {}})

    assert decide(challenger(slices=()), champion(slices=()), whole, EXPECTED).outcome is Outcome.PROMOTE


def test_a_decision_cannot_claim_a_promotion_its_checks_deny() -> None:
    kept = decide(score(Role.CHALLENGER, 8.0), champion(), RULES, EXPECTED)

    with pytest.raises(ValidationError, match="every check made"):
        Decision(outcome=Outcome.PROMOTE, reasons=(), checks=kept.checks)
    with pytest.raises(ValidationError, match="every check made"):
        Decision(outcome=Outcome.PROMOTE, reasons=(), checks=())
    excused = tuple(Check(name=name, verdict=Verdict.NOT_APPLICABLE) for name in REQUIRED)
    with pytest.raises(ValidationError, match="every check made"):
        Decision(outcome=Outcome.PROMOTE, reasons=(), checks=excused)


def test_the_record_survives_json_with_its_impossible_numbers() -> None:
    decision = decide(challenger(metric=math.nan), champion(metric=math.inf), RULES, EXPECTED)

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
        "challenger": challenger(),
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
    decision = decide(
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
    rules = RULES.model_copy(update={"metric": METRICS[sees], "floor": 1e9, "ceiling": 0.0, "slice_tolerance": {}})
    better: Callable[[Role], Score] = lambda role: score(role, level * (1 - share), name=sees, slices=())  # noqa: E731
    worse: Callable[[Role], Score] = lambda role: score(role, level, name=sees, slices=())  # noqa: E731

    assert decide(better(Role.CHALLENGER), worse(Role.CHAMPION), rules, EXPECTED).outcome is Outcome.PROMOTE
    assert decide(worse(Role.CHALLENGER), better(Role.CHAMPION), rules, EXPECTED).outcome is Outcome.KEEP
