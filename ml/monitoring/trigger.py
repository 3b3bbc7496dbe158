"""The decision to train again: one pure function of what was seen, what was done, the date, and the model's rules.

It has no clock and no memory. The same history gives the same answer whatever order it arrived in and however often a
month was monitored. It fails closed: a rule that cannot be checked does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from ml.datasets.months import Month
from ml.models import Drift
from ml.monitoring.verdict import Kind, MonthVerdict, Severity
from ml.records import Record


class Action(StrEnum):
    """What the trigger decides: train, wait or investigate."""

    RETRAIN = "retrain"
    WAIT = "wait"
    INVESTIGATE = "investigate"  # a person must look: training on this month cannot work


class TrainingOutcome(StrEnum):
    """How a training that was triggered ended."""

    STARTED = "started"
    PROMOTED = "promote"
    KEPT = "keep"
    FAILED = "failed"  # answers nothing: the month may be tried again


class TrainingEvent(Record):
    """A training that was triggered."""

    month: str = Field(description="latest month of its data")
    day: date = Field(description="when it was decided")
    outcome: TrainingOutcome


class Rule(BaseModel):
    """One condition of a retraining, with what was compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: str
    limit: str
    holds: bool


class TriggerDecision(Record):
    """One decision of the trigger: the action, and every rule with its value and limit."""

    action: Action
    month: str | None = Field(description="the latest window; None without any")
    day: date
    reasons: tuple[str, ...]
    rules: tuple[Rule, ...] = ()
    ignored: tuple[str, ...] = Field(default=(), description="windows that were left out, and why")


def decide(
    verdicts: Sequence[MonthVerdict],
    trainings: Sequence[TrainingEvent],
    now: date,
    drift: Drift,
    *,
    champion: int | None = None,
) -> TriggerDecision:
    """Train again? Only when every rule holds: alarm, debounce, labels, new month, cool-down, new rows.

    Windows count by calendar month, so a missing one is a window without alarm. A training answers what its month had
    shown: only windows after it count, and drift in them only if it is new or has grown, whether the gate let the
    challenger in or not. A rising error is never answered. A month that was monitored twice has the alarms of both;
    with `champion`, alarms under other versions do not count.
    """
    done = [event for event in trainings if event.outcome is not TrainingOutcome.FAILED]
    windows, ignored = _windows(verdicts, now)
    if not windows:
        return TriggerDecision(
            action=Action.WAIT, month=None, day=now, reasons=("no month has been monitored",), ignored=ignored
        )
    latest = max(windows)
    alarms = _open_alarms(windows, done, drift, champion)
    rules = tuple(_rules(windows, alarms, done, now, drift))
    broken = tuple(f"{rule.name}: {rule.value}, needs {rule.limit}" for rule in rules if not rule.holds)
    if blocked := _names(finding.name for verdict in windows[latest] for finding in verdict.blocked):
        action, reasons = Action.INVESTIGATE, blocked
    elif broken:
        action, reasons = Action.WAIT, broken
    else:
        action, reasons = Action.RETRAIN, alarms[latest]
    return TriggerDecision(action=action, month=str(latest), day=now, reasons=reasons, rules=rules, ignored=ignored)


Windows = dict[Month, list[MonthVerdict]]


def _windows(verdicts: Iterable[MonthVerdict], now: date) -> tuple[Windows, tuple[str, ...]]:
    """Verdicts by month, months that are not over left out."""
    windows: Windows = {}
    early = set()
    for verdict in verdicts:
        month = Month.parse(verdict.month)
        if month.last_day >= now:
            early.add(f"{month}: not over on {now}")
        else:
            windows.setdefault(month, []).append(verdict)
    return windows, tuple(sorted(early))


def _open_alarms(
    windows: Windows, done: Sequence[TrainingEvent], drift: Drift, champion: int | None
) -> dict[Month, tuple[str, ...]]:
    """Alarms by month that no training has answered; months up to the last training's have none."""
    trained = _last_month(done)
    answered: dict[str, float] = {}
    for finding in (f for verdict in windows.get(trained, []) for f in verdict.findings) if trained else ():
        if finding.kind is not Kind.ERROR and finding.severity is Severity.ALARM:
            answered[finding.name] = max(answered.get(finding.name, 0.0), finding.value or 0.0)
    return {
        month: _names(
            finding.name
            for verdict in verdicts
            if champion is None or verdict.version == champion
            for finding in verdict.alarms
            if finding.name not in answered or (finding.value or 0.0) > answered[finding.name] * (1 + drift.growth)
        )
        if trained is None or month > trained
        else ()
        for month, verdicts in windows.items()
    }


def _last_month(done: Sequence[TrainingEvent]) -> Month | None:
    return max((Month.parse(event.month) for event in done), default=None)


def _rules(
    windows: Windows, alarms: dict[Month, tuple[str, ...]], done: Sequence[TrainingEvent], now: date, drift: Drift
) -> Iterable[Rule]:
    latest, last_month = max(windows), _last_month(done)
    fresh = [month for month in windows if last_month is None or month > last_month]
    count = len(alarms[latest])
    yield Rule(
        name="alarm", value=f"{count} in {latest}", limit="at least 1 that no training has seen", holds=count > 0
    )
    span = [latest.shift(-back) for back in range(drift.debounce_windows)]
    alarmed = [month for month in span if alarms.get(month)]
    yield Rule(
        name="debounce",
        value=f"{len(alarmed)} of the last {drift.debounce_windows} windows",
        limit=f"{drift.debounce_alarms} with an alarm since the last training",
        holds=len(alarmed) >= drift.debounce_alarms,
    )
    labelled = max(verdict.labelled_rows for verdict in windows[latest])
    yield Rule(name="labels", value=f"{labelled} rows of {latest}", limit="at least 1", holds=labelled > 0)
    yield Rule(
        name="new month",
        value=f"{latest}, last trained on {last_month or 'none'}",
        limit="a month after the last training's",
        holds=latest in fresh,
    )
    last_day = max((event.day for event in done), default=None)
    rested = (now - last_day).days if last_day else None
    yield Rule(
        name="cool-down",
        value="no training yet" if rested is None else f"{rested} days",
        limit=f"{drift.cooldown_days} days",
        holds=rested is None or rested >= drift.cooldown_days,
    )
    rows = sum(max(verdict.labelled_rows for verdict in windows[month]) for month in fresh)
    yield Rule(name="new rows", value=str(rows), limit=str(drift.min_new_rows), holds=rows >= drift.min_new_rows)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
