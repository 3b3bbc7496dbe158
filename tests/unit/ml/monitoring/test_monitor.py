"""A month under a champion: what is caught, what is not an alarm, and what is said of months that cannot be judged."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from ml.datasets.months import Month
from ml.evaluation.metrics import LOG_LOSS, MAE, ROC_AUC
from ml.models import ModelConfig
from ml.monitoring.model_error import month_error
from ml.monitoring.monitor import Champion, error_finding, monitor_month
from ml.monitoring.trigger import Action, decide
from ml.monitoring.verdict import Kind, MonthVerdict, Severity
from tests.unit.ml.monitoring.shifts import SHIFTS, SUBJECTS

MARCH, APRIL = Month(2013, 3), Month(2013, 4)


@pytest.fixture(scope="session")
def march(flights: pd.DataFrame) -> pd.DataFrame:
    """A season the champion knows; half of the rows, to be quick."""
    return flights[flights.of == "2013-03"].sample(14_000, random_state=2)


def watch(config: ModelConfig, champion: Champion, frame: pd.DataFrame, month: Month = MARCH) -> MonthVerdict:
    return monitor_month(config, champion, month, frame)


def severity_of(verdict: MonthVerdict, subject: str, measure: str) -> Severity:
    return next(f.severity for f in verdict.findings if (f.subject, f.measure) == (subject, measure))


@pytest.mark.parametrize("seed", range(12))
def test_a_month_drawn_from_the_reference_itself_raises_no_alarm(
    config: ModelConfig, champion: Champion, reference: pd.DataFrame, seed: int
) -> None:
    rows = (200, 2000, 9000)[seed % 3]
    drawn = reference.sample(rows, random_state=seed)
    assert watch(config, champion, drawn).alarms == ()


def test_the_unchanged_month_raises_no_alarm(config: ModelConfig, champion: Champion, march: pd.DataFrame) -> None:
    verdict = watch(config, champion, march)
    assert verdict.alarms == verdict.blocked == ()
    assert verdict.error_low is not None
    assert verdict.error_high is not None
    assert verdict.error is not None
    assert verdict.error_low < verdict.error < verdict.error_high


def error_of(champion: Champion, frame: pd.DataFrame) -> float:
    """The truth about a shifted month, from its labels."""
    labelled = frame[frame.target.notna()]
    return float(np.abs(champion.predict(labelled) - labelled.target).mean())


def test_shifts_that_do_harm_are_named_and_those_that_do_none_page_and_train_nothing(
    config: ModelConfig, champion: Champion, march: pd.DataFrame
) -> None:
    """The truth is the error of the shifted month by its labels: a tenth more is harm, a fiftieth is none."""
    usual, harmful, missed, harmless, loud = error_of(champion, march), [], [], [], []
    for name, shift in SHIFTS.items():
        shifted = shift(march, np.random.default_rng(4))
        rise = error_of(champion, shifted) / usual - 1
        verdict = watch(config, champion, shifted)
        action = decide([verdict], [], MARCH.next.first_day, config.drift).action
        named = {finding.subject for finding in (*verdict.alarms, *verdict.blocked)}
        if rise >= 0.1:
            harmful.append(name)
            if action is Action.WAIT or not named & {*SUBJECTS.get(name, ()), str(config.gate.metric)}:
                missed.append((name, round(rise, 2), named))
        elif abs(rise) < 0.02:
            harmless.append(name)
            if action is not Action.WAIT:
                loud.append((name, round(rise, 3), named))
    assert len(harmful) >= 6
    assert len(harmless) >= 10
    assert len(missed) <= 0.1 * len(harmful), (missed, loud)
    assert len(loud) <= 0.05 * len(harmless), loud


def test_a_drift_without_harm_is_worth_a_look(config: ModelConfig, champion: Champion, march: pd.DataFrame) -> None:
    """Visibility a little lower, a third of the dew points null: the error stays, and somebody may look."""
    verdict = watch(config, champion, march.assign(visib=march.visib * 0.994, dewp=march.dewp.mask(march.day % 3 == 0)))
    looked = {(finding.subject, finding.severity) for finding in verdict.of(Severity.WARNING)}
    assert {("visib", Severity.WARNING), ("dewp", Severity.WARNING)} <= looked
    assert verdict.alarms == verdict.blocked == ()


def test_new_categories_are_trained_on_and_another_code_is_not(
    config: ModelConfig, champion: Champion, march: pd.DataFrame
) -> None:
    """Ten years on some destinations are new: training is the cure. Every code in small letters is broken data."""
    few = march.dest.astype(str).where(march.index % 4 != 0, "XXX")
    new = watch(config, champion, march.assign(dest=few))
    assert severity_of(new, "dest", "unseen_categories") is Severity.ALARM
    assert new.blocked == ()

    recoded = watch(config, champion, march.assign(dest=march.dest.astype(str).str.lower()))
    assert severity_of(recoded, "dest", "unseen_categories") is Severity.BLOCKED


def test_a_season_is_drift_only_for_a_champion_that_has_not_seen_it(
    config: ModelConfig, champion: Champion, flights: pd.DataFrame
) -> None:
    april = flights[flights.of == "2013-04"]
    assert severity_of(watch(config, champion, april, APRIL), "temp", "jensen_shannon") is Severity.WARNING
    seasoned = replace(champion, months=(*champion.months, Month(2012, 4)))
    verdict = watch(config, seasoned, april, APRIL)
    assert severity_of(verdict, "temp", "jensen_shannon") is Severity.INFO
    temperature = next(f for f in verdict.findings if f.subject == "temp" and f.kind is Kind.FEATURE)
    assert temperature.value is not None
    assert temperature.limit is not None
    assert temperature.value > temperature.limit
    assert "seasonal" in temperature.reason


def test_a_rising_error_alarms_only_when_its_whole_interval_does(config: ModelConfig) -> None:
    rng = np.random.default_rng(5)
    day = np.repeat(np.arange(30), 300)
    target = rng.normal(100, 1, day.size)
    for error, alarm in ((7.0, False), (8.0, False), (8.1, False), (9.0, True)):
        predicted = target + error * rng.choice([-1, 1], day.size) * rng.gamma(20, 1 / 20, 30)[day]
        measured = month_error(MAE, target, predicted, day, 1)
        finding = error_finding(config, 7.0, measured, labelled=True)
        assert (finding.severity is Severity.ALARM) is alarm, finding.reason


def test_the_interval_is_wider_when_whole_days_are_off() -> None:
    """Two hundred flights of one stormy day are one observation, not two hundred."""
    rng = np.random.default_rng(6)
    day = np.repeat(np.arange(30), 200)
    loss = rng.gamma(2, 3, 30)[day]
    by_day = month_error(MAE, np.zeros(day.size), loss, day, 1)
    by_row = month_error(MAE, np.zeros(day.size), loss, np.arange(day.size), 1)
    assert by_day is not None
    assert by_row is not None
    assert by_day.high - by_day.low > 5 * (by_row.high - by_row.low)


def test_the_area_under_the_curve_by_bins_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import log_loss, roc_auc_score

    rng = np.random.default_rng(7)
    target = (rng.random(5000) < 0.2).astype(float)
    scores = np.clip(0.2 + 0.1 * target + rng.normal(0, 0.1, 5000), 0.01, 0.99)
    day = rng.integers(0, 30, 5000)
    area = month_error(ROC_AUC, target, scores, day, 1)
    loss = month_error(LOG_LOSS, target, scores, day, 1)
    assert area is not None
    assert loss is not None
    assert area.value == pytest.approx(1 - roc_auc_score(target, scores), abs=5e-4)
    assert area.low < area.value < area.high
    assert loss.value == pytest.approx(log_loss(target, scores))


def test_a_few_days_are_not_enough_for_an_alarm(config: ModelConfig) -> None:
    measured = month_error(MAE, np.zeros(400), np.full(400, 99.0), np.repeat(np.arange(4), 100), 1)
    assert error_finding(config, 7.0, measured, labelled=True).severity is Severity.INFO


def test_without_labels_the_inputs_are_still_watched(
    config: ModelConfig, champion: Champion, march: pd.DataFrame
) -> None:
    for frame in (march.assign(target=np.nan), march.drop(columns="target")):
        verdict = watch(config, champion, frame)
        assert verdict.labelled_rows == 0
        assert verdict.error is None
        assert next(f for f in verdict.findings if f.kind is Kind.ERROR).reason == "no labels yet"
        assert len(verdict.findings) > 50


def test_labels_of_one_class_only_are_said(march: pd.DataFrame) -> None:
    ones = np.ones(100)
    assert month_error(ROC_AUC, ones, ones / 2, np.arange(100), 1) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda frame: frame.iloc[:0], "no rows"),
        (lambda frame: frame.drop(columns="carrier"), "carrier is missing"),
        (lambda frame: frame.rename(columns={"distance": "miles"}), "distance is missing"),
        (lambda frame: frame.assign(distance="far"), "distance holds"),
    ],
    ids=["no rows", "a column missing", "a column renamed", "text for numbers"],
)
def test_a_month_that_cannot_be_trained_on_asks_for_a_person(
    config: ModelConfig, champion: Champion, march: pd.DataFrame, change, reason: str
) -> None:
    verdict = watch(config, champion, change(march))
    assert reason in " ".join(finding.reason for finding in verdict.blocked)
    assert decide([verdict], [], MARCH.next.first_day, config.drift).action is Action.INVESTIGATE


@pytest.mark.parametrize(("column", "severity"), [("temp", Severity.WARNING), ("route_air_time_28d", Severity.BLOCKED)])
def test_a_column_of_nulls_blocks_where_it_does_harm_and_is_no_crash(
    config: ModelConfig, champion: Champion, march: pd.DataFrame, column: str, severity: Severity
) -> None:
    verdict = watch(config, champion, march.assign(**{column: np.nan}))
    assert severity_of(verdict, column, "null_rate") is severity


def test_a_month_of_half_its_rows_is_a_warning_only(
    config: ModelConfig, champion: Champion, march: pd.DataFrame
) -> None:
    verdict = watch(config, champion, march.sample(9000, random_state=3))
    assert severity_of(verdict, "month", "rows") is Severity.WARNING
    assert verdict.alarms == ()


def test_the_same_month_gives_the_same_verdict_and_survives_json(
    config: ModelConfig, champion: Champion, march: pd.DataFrame
) -> None:
    first, second = watch(config, champion, march), watch(config, champion, march)
    assert first == second
    assert MonthVerdict.model_validate_json(first.model_dump_json()) == first


def test_more_of_a_shift_is_never_less_of_an_alarm(
    config: ModelConfig, champion: Champion, march: pd.DataFrame
) -> None:
    """Rows whose carrier is renamed: none, some, many, all."""
    alarms = []
    for share in (0.0, 0.05, 0.3, 1.0):
        hit = np.random.default_rng(8).random(len(march)) < share
        seen = watch(config, champion, march.assign(carrier=march.carrier.mask(hit, "ZZ")))
        alarms.append(sum(finding.severity is not Severity.INFO for finding in seen.findings))
    assert alarms[0] == 0
    assert all(before <= after for before, after in pairwise(alarms))


def test_the_restored_champion_is_watched_by_its_own_reference(
    config: ModelConfig, champion: Champion, march: pd.DataFrame
) -> None:
    """After a rollback: what alarms under one version does not under the other."""
    metric = march.assign(distance=march.distance * 1.609)
    other = replace(
        champion, version=2, reference=champion.reference.assign(distance=champion.reference.distance * 1.609)
    )
    under_one, under_two = watch(config, champion, metric), watch(config, other, metric)
    assert severity_of(under_one, "distance", "unseen_values") in (Severity.WARNING, Severity.BLOCKED)
    assert severity_of(under_two, "distance", "unseen_values") is Severity.INFO
