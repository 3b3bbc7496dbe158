"""The decision to train again: a table of situations, and laws."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.datasets.months import Month
from ml.models import Drift
from ml.monitoring.trigger import Action, TrainingEvent, TrainingOutcome, TriggerDecision, decide
from ml.monitoring.verdict import Finding, Kind, MonthVerdict, Severity

FIRST = Month(2013, 4)


def rules(**changes: Any) -> Drift:
    settings = {
        "feature_js": 0.1,
        "category_linf": 0.1,
        "prediction_js": 0.1,
        "null_rate_change": 0.1,
        "error_increase": 0.15,
        "debounce_alarms": 1,
        "debounce_windows": 2,
        "cooldown_days": 28,
        "min_new_rows": 100,
    }
    return Drift.model_validate(settings | changes)


def finding(severity: Severity, drift: float | None = None) -> Finding:
    """A rising error, or a carrier's drift of that size."""
    if drift is None:
        return Finding(kind=Kind.ERROR, subject="mae", measure="error", value=9.0, limit=8.0, severity=severity)
    return Finding(
        kind=Kind.FEATURE, subject="carrier", measure="l_infinity", value=drift, limit=0.1, severity=severity
    )


def window(
    month: Month, *severities: Severity, rows: int = 1000, version: int = 1, drift: float | None = None
) -> MonthVerdict:
    found = tuple(finding(severity, drift) for severity in severities)
    return MonthVerdict(
        model="air_time", month=str(month), version=version, rows=rows, labelled_rows=rows, findings=found
    )


def training(month: Month, outcome: TrainingOutcome = TrainingOutcome.PROMOTED) -> TrainingEvent:
    return TrainingEvent(month=str(month), day=month.next.first_day, outcome=outcome)


ALARM, INFO, WARNING, BLOCKED = Severity.ALARM, Severity.INFO, Severity.WARNING, Severity.BLOCKED
M1, M2, M3 = FIRST, FIRST.shift(1), FIRST.shift(2)
TWO_OF_THREE = {"debounce_alarms": 2, "debounce_windows": 3}

SITUATIONS: dict[str, tuple[list[MonthVerdict], list[TrainingEvent], dict[str, int], Action, str]] = {
    "nothing was monitored": ([], [], {}, Action.WAIT, "no month"),
    "no alarm": ([window(M1, INFO, WARNING)], [], {}, Action.WAIT, "alarm"),
    "an alarm": ([window(M1, ALARM)], [], {}, Action.RETRAIN, "error: mae"),
    "one alarm of the two it needs": ([window(M1, ALARM)], [], TWO_OF_THREE, Action.WAIT, "debounce"),
    "both alarms": ([window(M1, ALARM), window(M2, ALARM)], [], TWO_OF_THREE, Action.RETRAIN, "error: mae"),
    "both, with a quiet month between": (
        [window(M1, ALARM), window(M2), window(M3, ALARM)],
        [],
        TWO_OF_THREE,
        Action.RETRAIN,
        "error: mae",
    ),
    "both, with a missing month between": (
        [window(M1, ALARM), window(M3, ALARM)],
        [],
        TWO_OF_THREE,
        Action.RETRAIN,
        "error: mae",
    ),
    "an alarm ten years ago is forgotten": (
        [window(Month(2013, 12), ALARM), window(Month(2023, 1), ALARM)],
        [],
        TWO_OF_THREE,
        Action.WAIT,
        "debounce",
    ),
    "the alarms have stopped": (
        [window(M1, ALARM), window(M2, ALARM), window(M3)],
        [],
        TWO_OF_THREE,
        Action.WAIT,
        "alarm",
    ),
    "the last training has answered the alarms before it": (
        [window(M1, ALARM), window(M2, ALARM), window(M3, ALARM)],
        [training(M2, TrainingOutcome.KEPT)],
        TWO_OF_THREE,
        Action.WAIT,
        "debounce",
    ),
    "the month was trained on": ([window(M1, ALARM)], [training(M1)], {"cooldown_days": 0}, Action.WAIT, "new month"),
    "its training is still running": (
        [window(M1, ALARM)],
        [training(M1, TrainingOutcome.STARTED)],
        {"cooldown_days": 0},
        Action.WAIT,
        "new month",
    ),
    "its training failed": ([window(M1, ALARM)], [training(M1, TrainingOutcome.FAILED)], {}, Action.RETRAIN, "error"),
    "an older month arrives late": (
        [window(M2, ALARM)],
        [training(M3)],
        {"cooldown_days": 0},
        Action.WAIT,
        "new month",
    ),
    "drift that the last training has seen": (
        [window(M1, ALARM, drift=0.2), window(M2, ALARM, drift=0.25)],
        [training(M1)],
        {},
        Action.WAIT,
        "alarm",
    ),
    "drift that has grown by more than a quarter since": (
        [window(M1, ALARM, drift=0.2), window(M2, ALARM, drift=0.26)],
        [training(M1, TrainingOutcome.KEPT)],
        {},
        Action.RETRAIN,
        "feature drift: carrier",
    ),
    "another drift than the last training has seen": (
        [window(M1, INFO, drift=0.09), window(M2, ALARM, drift=0.11)],
        [training(M1)],
        {},
        Action.RETRAIN,
        "feature drift: carrier",
    ),
    "drift that a failed training has not answered": (
        [window(M1, ALARM, drift=0.2), window(M2, ALARM, drift=0.2)],
        [training(M1, TrainingOutcome.FAILED)],
        {},
        Action.RETRAIN,
        "feature drift: carrier",
    ),
    "a rising error is never answered": (
        [window(M1, ALARM), window(M2, ALARM)],
        [training(M1, TrainingOutcome.KEPT)],
        {},
        Action.RETRAIN,
        "error: mae",
    ),
    "cooling down": ([window(M2, ALARM)], [training(M1)], {"cooldown_days": 32}, Action.WAIT, "cool-down"),
    "cooled down": ([window(M2, ALARM)], [training(M1)], {"cooldown_days": 31}, Action.RETRAIN, "error"),
    "too few new rows": ([window(M1, ALARM, rows=99)], [], {}, Action.WAIT, "new rows"),
    "just enough new rows": ([window(M1, ALARM, rows=100)], [], {}, Action.RETRAIN, "error"),
    "rows add up over the months": (
        [window(M1, rows=60), window(M2, ALARM, rows=60)],
        [],
        {},
        Action.RETRAIN,
        "error",
    ),
    "rows of a month monitored twice count once": (
        [window(M1, ALARM, rows=60), window(M1, ALARM, rows=60)],
        [],
        {},
        Action.WAIT,
        "new rows",
    ),
    "training cannot work": ([window(M1, ALARM, BLOCKED)], [], {}, Action.INVESTIGATE, "error: mae"),
}


def ask(verdicts: list[MonthVerdict], trainings: list[TrainingEvent], drift: Drift) -> TriggerDecision:
    """Decide on the day after the latest month."""
    latest = max((Month.parse(each.month) for each in verdicts), default=M1)
    return decide(verdicts, trainings, latest.next.first_day, drift)


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_trigger_answers(name: str) -> None:
    verdicts, trainings, changes, action, reason = SITUATIONS[name]
    decision = ask(verdicts, trainings, rules(**changes))
    assert decision.action is action
    assert any(each.startswith(reason) for each in decision.reasons), decision.reasons


def test_no_labels_yet_waits_for_them() -> None:
    unlabelled = window(M1, ALARM).model_copy(update={"labelled_rows": 0})
    assert ask([unlabelled], [], rules(min_new_rows=1)).action is Action.WAIT
    assert ask([unlabelled, window(M1)], [], rules(min_new_rows=1)).action is Action.RETRAIN
    later = window(M2, ALARM).model_copy(update={"labelled_rows": 0})
    assert [rule.name for rule in ask([window(M1), later], [], rules()).rules if not rule.holds] == ["labels"]


def test_a_month_that_is_not_over_is_left_out_and_said() -> None:
    decision = decide([window(M1), window(M2, ALARM)], [], M2.last_day, rules())
    assert decision.month == str(M1)
    assert decision.action is Action.WAIT
    assert decision.ignored == (f"{M2}: not over on {M2.last_day}",)


def test_alarms_of_a_version_that_was_rolled_back_do_not_count() -> None:
    seen = [window(M1, ALARM, version=2), window(M1, INFO, version=1)]
    now = M1.next.first_day
    assert decide(seen, [], now, rules(), champion=1).action is Action.WAIT
    assert decide(seen, [], now, rules(), champion=2).action is Action.RETRAIN


def test_the_record_names_every_rule_and_survives_json() -> None:
    decision = ask([window(M1, ALARM)], [], rules())
    assert [rule.name for rule in decision.rules] == [
        "alarm",
        "debounce",
        "labels",
        "new month",
        "cool-down",
        "new rows",
    ]
    assert TriggerDecision.model_validate_json(decision.model_dump_json()) == decision


months = st.integers(0, 8).map(FIRST.shift)
verdicts = st.lists(
    st.builds(
        lambda month, severities, rows, drift: window(month, *severities, rows=rows, drift=drift),
        months,
        st.lists(st.sampled_from([ALARM, INFO, WARNING]), max_size=2),
        st.integers(0, 200),
        st.sampled_from([None, 0.2, 0.24, 0.3]),
    ),
    min_size=1,
    max_size=9,
)
trainings = st.lists(st.builds(training, months, st.sampled_from(list(TrainingOutcome))), max_size=3)
settings = st.builds(
    lambda k, more, days, rows: rules(
        debounce_alarms=k, debounce_windows=k + more, cooldown_days=days, min_new_rows=rows
    ),
    st.integers(1, 3),
    st.integers(0, 2),
    st.integers(0, 100),
    st.integers(1, 400),
)


@given(verdicts, trainings, settings, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(
    seen: list[MonthVerdict], done: list[TrainingEvent], drift: Drift, random: Any
) -> None:
    shuffled, again = random.sample(seen + seen, 2 * len(seen)), random.sample(done + done, 2 * len(done))
    assert ask(shuffled, again, drift) == ask(seen, done, drift)


@given(verdicts, trainings, settings, months)
def test_one_alarm_more_since_the_last_training_never_takes_a_retraining_back(
    seen: list[MonthVerdict], done: list[TrainingEvent], drift: Drift, month: Month
) -> None:
    known = {each.month for each in seen}
    trained = {each.month for each in done}
    if ask(seen, done, drift).action is Action.RETRAIN and str(month) in known - trained:
        assert ask([*seen, window(month, ALARM, rows=0)], done, drift).action is Action.RETRAIN


@given(verdicts, trainings, settings)
def test_stricter_rules_never_train_more(seen: list[MonthVerdict], done: list[TrainingEvent], drift: Drift) -> None:
    stricter = [
        {"cooldown_days": drift.cooldown_days + 30},
        {"min_new_rows": drift.min_new_rows + 100},
        {"debounce_alarms": drift.debounce_alarms + 1, "debounce_windows": drift.debounce_windows + 1},
    ]
    if ask(seen, done, drift).action is not Action.RETRAIN:
        # One more alarm in one more window can be easier, so windows stay where they are for this law.
        for change in stricter[:2]:
            assert ask(seen, done, drift.model_copy(update=change)).action is not Action.RETRAIN
        if drift.debounce_alarms < drift.debounce_windows:
            harder = drift.model_copy(update={"debounce_alarms": drift.debounce_alarms + 1})
            assert ask(seen, done, harder).action is not Action.RETRAIN


@given(st.lists(st.booleans(), min_size=1, max_size=30), settings, st.randoms(use_true_random=False))
def test_a_loop_never_flaps(alarming: list[bool], drift: Drift, random: Any) -> None:
    """Two trainings are a cool-down and a full debounce apart; a month monitored twice is trained on once."""
    seen: list[MonthVerdict] = []
    done: list[TrainingEvent] = []
    for step, alarm in enumerate(alarming):
        month = FIRST.shift(step)
        for _ in range(random.choice([1, 2])):
            seen.append(window(month, ALARM if alarm else INFO, rows=300))
            if decide(seen, done, month.next.first_day, drift).action is Action.RETRAIN:
                done.append(training(month, random.choice([TrainingOutcome.PROMOTED, TrainingOutcome.KEPT])))
    for before, after in pairwise(done):
        between = [FIRST.shift(i) for i, alarm in enumerate(alarming) if alarm]
        assert after.day - before.day >= timedelta(days=drift.cooldown_days)
        assert sum(Month.parse(before.month) < month <= Month.parse(after.month) for month in between) >= (
            drift.debounce_alarms
        )


@given(verdicts, trainings, settings, st.dates(date(2013, 1, 1), date(2014, 12, 31)))
def test_a_retraining_always_has_an_alarm_in_a_month_that_is_over(
    seen: list[MonthVerdict], done: list[TrainingEvent], drift: Drift, now: date
) -> None:
    decision = decide(seen, done, now, drift)
    if decision.action is Action.RETRAIN:
        assert decision.month is not None
        assert Month.parse(decision.month).last_day < now
        assert any(each.month == decision.month and each.alarms for each in seen)
        assert all(rule.holds for rule in decision.rules)
