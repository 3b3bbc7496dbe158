"""Run the monitoring pipeline for a model and a month, and train when it says so: one turn of the loop."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ml.datasets.months import Month
from ml.datasets.sources import source
from ml.evaluation.decision import Decision
from ml.models import load_model
from ml.monitoring.champion import champion_version
from ml.monitoring.history import History, read_record
from ml.monitoring.trigger import Action, TrainingEvent, TrainingOutcome, TriggerDecision
from ml.monitoring.verdict import MonthVerdict
from ml.registry import open_registry
from pipelines.compile import compile_pipeline
from pipelines.engines import PipelineEngine, Run
from pipelines.engines.engine import Progress
from pipelines.engines.folder import RunFolder
from pipelines.engines.local import IMAGE, LocalEngine
from pipelines.training.run import TrainingResult, new_run_id, train


class MonitoringResult(BaseModel):
    """What a monitoring run came to, and the training that followed, if one did."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    run: Run
    verdict: MonthVerdict
    decision: TriggerDecision
    report: Path
    retrained: Decision | None = None
    version: str | None = None  # the new champion's label


def run_monitoring(
    model: str,
    month: Month,
    *,
    registry: str = "",
    history: str = "",
    retrain: bool = False,
    engine: PipelineEngine | None = None,
    progress: Progress | None = None,
) -> MonitoringResult:
    """Monitor `month`; with `retrain`, train at once when the trigger says so, and remember how it ended.

    Raises BadInputError (no such model, no champion), BadDataError (no such month), StepFailedError (a task failed),
    ConflictError (another loop is at work). Safe to run again: a month is trained on once.
    """
    versions = open_registry(load_model(model).name, registry)
    champion_version(versions)
    source().require([month])
    engine = engine or LocalEngine()
    known = History.of(model, history)
    with known.alone():
        run_id = new_run_id(f"monitoring-{model}", month, datetime.now(UTC))
        parameters = {"month": str(month), "run_id": run_id, "registry": registry, "history": history}
        engine.submit(compile_pipeline(model, "monitoring", IMAGE), run_id, parameters)
        watched = _monitoring_result(engine.wait(run_id, progress))
        if not (retrain and watched.decision.action is Action.RETRAIN):
            return watched
        done = _retrain(known, watched.decision, model, month, registry, engine, progress)
    return watched.model_copy(update={"retrained": done.decision, "version": done.version})


def _monitoring_result(run: Run) -> MonitoringResult:
    found = RunFolder(run.id).artefacts()
    return MonitoringResult(
        run=run,
        verdict=read_record(found["monitor/verdict"], MonthVerdict),
        decision=read_record(found["judge/decision"], TriggerDecision),
        report=RunFolder(run.id).path / "report.html",
    )


def _retrain(
    known: History,
    decision: TriggerDecision,
    model: str,
    month: Month,
    registry: str,
    engine: PipelineEngine,
    progress: Progress | None,
) -> TrainingResult:
    event = TrainingEvent(month=str(month), day=decision.day, outcome=TrainingOutcome.STARTED)
    known.record_training(event)
    outcome = TrainingOutcome.FAILED
    try:
        done = train(model, month, registry=registry, engine=engine, progress=progress)
        outcome = TrainingOutcome(done.decision.outcome)
    finally:
        known.record_training(event.model_copy(update={"outcome": outcome}))
    return done
