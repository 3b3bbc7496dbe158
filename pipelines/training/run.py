"""Run a pipeline for a model and a month, and read what came of it: what commands, the demo and the simulation call."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from fonderie.core.errors import FonderieError
from fonderie.core.git import line
from ml.datasets.months import Month
from ml.datasets.sources import source
from ml.evaluation.decision import Decision
from ml.evaluation.scores import Evaluation
from ml.models import load_model
from ml.registry.lineage import RunFiles
from pipelines.compile import ROOT, compile_pipeline
from pipelines.engines import PipelineEngine, Run
from pipelines.engines.engine import Progress
from pipelines.engines.folder import RunFolder
from pipelines.engines.local import IMAGE, LocalEngine
from pipelines.training.steps import EVALUATION, PREDICTIONS

GATE = "gate/decision"


class TrainingResult(BaseModel):
    """What a training run came to."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    run: Run
    decision: Decision
    evaluation: Evaluation
    version: str | None  # the new champion's label, None if the champion stays
    report: Path
    folder: Path


def train(
    model: str,
    month: Month,
    *,
    registry: str = "",
    engine: PipelineEngine | None = None,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train, judge and perhaps promote a challenger for `month`.

    Raises BadInputError (no such model), BadDataError (no such month), StepFailedError (a task failed).
    """
    load_model(model)
    source().require([month])
    engine = engine or LocalEngine()
    run_id = new_run_id(model, month, datetime.now(UTC))
    parameters = {"month": str(month), "run_id": run_id, "registry": registry, "commit": commit()}
    engine.submit(compile_pipeline(model, "training", IMAGE), run_id, parameters)
    return training_result(engine.wait(run_id, progress))


def training_result(run: Run) -> TrainingResult:
    """What a training run that is over came to, from its folder."""
    folder = RunFolder(run.id)
    found = folder.artefacts()
    decision = Decision.model_validate_json(found[GATE].read_text())
    evaluation = found["evaluate/evaluation"] / EVALUATION
    return TrainingResult(
        run=run,
        decision=decision,
        evaluation=Evaluation.model_validate_json(evaluation.read_text()),
        version=promoted_version(folder),
        report=folder.path / "report.html",
        folder=folder.path,
    )


def run_files(run_id: str) -> RunFiles:
    """The artefacts that a report of this run shows."""
    found = RunFolder(run_id).artefacts()
    folder = found["evaluate/evaluation"]
    return RunFiles(
        contracts=found["validate/contracts"],
        lineage=found["features/lineage"],
        evaluation=folder / EVALUATION,
        predictions=folder / PREDICTIONS,
        decision=found[GATE],
    )


def promoted_version(folder: RunFolder) -> str | None:
    """What the promote task returned; None when the keep branch ran."""
    for said in folder.root.glob("*/promote/executor_output.json"):
        return str(json.loads(said.read_text())["parameterValues"]["Output"])
    return None


def new_run_id(model: str, month: Month, now: datetime) -> str:
    """Readable, sorted by time, unique on a machine: air_time-2013-04-20261122T230102123."""
    return f"{model}-{month}-{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}"


def commit() -> str:
    """The commit of the sources, with "-dirty" when they differ from it; "unknown" outside a repository."""
    try:
        return line(ROOT, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except FonderieError:
        return "unknown"
