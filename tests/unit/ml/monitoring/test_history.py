"""The loop's memory: whole files, one loop at a time, safe to run again."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from fonderie.core.errors import BadDataError, ConflictError
from ml.monitoring.history import History
from ml.monitoring.trigger import Action, TrainingEvent, TrainingOutcome, TriggerDecision
from ml.monitoring.verdict import MonthVerdict


def verdict(month: str, version: int = 1, rows: int = 10) -> MonthVerdict:
    return MonthVerdict(model="air_time", month=month, version=version, rows=rows, labelled_rows=rows)


def event(month: str, outcome: TrainingOutcome) -> TrainingEvent:
    return TrainingEvent(month=month, day=date(2013, 5, 1), outcome=outcome)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History.of("air_time", str(tmp_path))


def test_what_was_recorded_is_read_back_by_month(history: History) -> None:
    assert history.verdicts() == []
    for month in ("2013-05", "2013-04"):
        history.record_verdict(verdict(month))
    history.record_verdict(verdict("2013-04", version=2))
    assert [(each.month, each.version) for each in history.verdicts()] == [
        ("2013-04", 1),
        ("2013-04", 2),
        ("2013-05", 1),
    ]
    assert [each.month for each in history.verdicts(version=1)] == ["2013-04", "2013-05"]


def test_monitoring_a_month_again_replaces_its_verdict(history: History) -> None:
    for rows in (0, 10):
        history.record_verdict(verdict("2013-04", rows=rows))
    assert [each.rows for each in history.verdicts()] == [10]


def test_the_same_decision_twice_is_one_record_and_another_one_is_kept_beside_it(history: History) -> None:
    waiting = TriggerDecision(action=Action.WAIT, month="2013-04", day=date(2013, 5, 1), reasons=("labels",))
    for decision in (waiting, waiting, waiting.model_copy(update={"action": Action.RETRAIN})):
        history.record_decision(decision)
    assert sorted(each.action for each in history.decisions()) == [Action.RETRAIN, Action.WAIT]


def test_a_second_loop_is_told(history: History, tmp_path: Path) -> None:
    with history.alone(), pytest.raises(ConflictError, match="another loop"), History(tmp_path / "air_time").alone():
        pass
    with history.alone():
        pass


def test_a_training_that_was_cut_short_counts_as_failed_for_the_next_loop(history: History) -> None:
    history.record_training(event("2013-04", TrainingOutcome.PROMOTED))
    history.record_training(event("2013-05", TrainingOutcome.STARTED))
    with history.alone():
        assert [each.outcome for each in history.trainings()] == [TrainingOutcome.PROMOTED, TrainingOutcome.FAILED]


def test_a_broken_record_is_named(history: History) -> None:
    path = Path(history.record_verdict(verdict("2013-04")))
    path.write_text("{")
    with pytest.raises(BadDataError) as caught:
        history.verdicts()
    assert str(path) in str(caught.value)
