"""What the components of the monitoring pipeline do: read artefacts, call `ml`, write artefacts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from fonderie.core.files import write_text
from ml.datasets.months import Month
from ml.monitoring.history import History, read_record
from ml.monitoring.messages import RetrainRequest, events_of
from ml.monitoring.trigger import TrainingEvent, TrainingOutcome, TriggerDecision, decide
from ml.monitoring.verdict import MonthVerdict
from pipelines.training.steps import latest_month, read_config, tell


def monitor(config: str, month: str, data: str, registry: str, history: str, out: str) -> None:
    """Write the MonthVerdict of `month` (the latest there is if empty) under the champion, and remember it."""
    from ml.datasets.origins import open_origin
    from ml.monitoring.observation import observe
    from ml.registry import open_registry

    model, origin = read_config(config), open_origin(data)
    wanted = Month.parse(month) if month else latest_month(origin)
    verdict = observe(model, open_registry(model.name, registry), wanted, origin)
    History.of(model.name, history).record_verdict(verdict)
    write_text(Path(out), verdict.model_dump_json(indent=1) + "\n")


def judge(config: str, history: str, events: str, verdict: str, out: str) -> str:
    """Write and remember the TriggerDecision; tell every alarm to the log `events`.

    As of the day after the month, so that a replay decides as the original did; a month that is not over yet waits.
    """

    model, seen = read_config(config), read_record(Path(verdict), MonthVerdict)
    known = History.of(model.name, history)
    day = min(Month.parse(seen.month).next.first_day, datetime.now(UTC).date())
    decision = decide(known.verdicts(), known.trainings(), day, model.drift, champion=seen.version)
    known.record_decision(decision)
    write_text(Path(out), decision.model_dump_json(indent=1) + "\n")
    tell(list(events_of(seen, decision)), events)
    return str(decision.action)


def request(config: str, history: str, topic: str, decision: str) -> str:
    """Ask for the retraining on `topic` and remember it; without a topic, say how to do it. The id of its run.

    Published first: killed before it is remembered, the second request names the same run, which is refused.
    """
    from fonderie.google.pubsub import publish

    model, decided = read_config(config), read_record(Path(decision), TriggerDecision)
    wanted = RetrainRequest.of(model.name, decided)
    if wanted is None:
        return "none"
    if not topic:
        print(f"fonderie run training {wanted.model} --month {wanted.month}")
        return wanted.job_id
    publish(topic, wanted.message(), {"model": wanted.model, "month": wanted.month})
    event = TrainingEvent(month=wanted.month, day=decided.day, outcome=TrainingOutcome.STARTED)
    History.of(model.name, history).record_training(event)
    return wanted.job_id


def rest(decision: str) -> str:
    """Print why nothing is trained."""
    print("\n".join(read_record(Path(decision), TriggerDecision).reasons))
    return "none"


def settle(config: str, month: str, history: str, state: str) -> None:
    """Remember that the retraining of `month` failed: it answered nothing, and the month may be asked for again.

    A run that no message on a topic asked for is not in `history`, and nothing is recorded.
    """
    if not history or state == "SUCCEEDED":
        return
    known = History.of(read_config(config).name, history)
    for event in known.trainings():
        if event.month == month and event.outcome is TrainingOutcome.STARTED:
            known.record_training(event.model_copy(update={"outcome": TrainingOutcome.FAILED}))


def report(config: str, history: str, verdict: str, decision: str, out: str) -> None:
    """Write the month as one HTML page."""
    from ml.monitoring.month_page import monitoring_page

    seen, decided = read_record(Path(verdict), MonthVerdict), read_record(Path(decision), TriggerDecision)
    known = History.of(read_config(config).name, history)
    write_text(Path(out), monitoring_page(seen, decided, known.verdicts()))
