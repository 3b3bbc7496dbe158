"""Hyper-parameters side by side: every combination a recorded run, made in this process by the pipeline's own steps.

A run is named by everything it is made from, so that asking again costs nothing and gives the same answer.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from fonderie.core.errors import BadInputError
from fonderie.core.files import write_text
from fonderie.core.toml import checked
from ml.datasets.months import Month
from ml.evaluation.decision import Decision
from ml.evaluation.metrics import Metric
from ml.evaluation.scores import Evaluation, Score
from ml.models import ModelConfig
from ml.models.config.model import Hyperparameters
from pipelines.compile import code_version
from pipelines.engines import Run, RunState
from pipelines.engines.folder import RunFolder
from pipelines.experiments.vertex import ExperimentRun
from pipelines.training import steps
from pipelines.training.challengers import TrainedChallenger, judge_and_promote, train_once
from pipelines.training.run import commit

PIPELINE = "experiment"

Value = int | float
Grid = Mapping[str, Sequence[Value]]
Progress = Callable[[str], None]


class ExperimentResult(BaseModel):
    """One combination of hyper-parameters and the score of its run."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    run_id: str
    settings: dict[str, Value]
    score: Score
    prediction_hash: str
    data_hash: str
    seconds: float


def parse_grid(texts: Sequence[str]) -> dict[str, list[Value]]:
    """`["max_iter=100,200"]` as {"max_iter": [100, 200]}. Raises BadInputError."""
    known = Hyperparameters.model_fields
    grid: dict[str, list[Value]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        if name not in known:
            raise BadInputError(f"unknown hyper-parameter {name!r}", where="--set", hint=f"{', '.join(known)}")
        try:
            grid[name] = [_number(value) for value in values.split(",")]
        except ValueError:
            raise BadInputError(f"invalid values {text!r}", where="--set", hint=f"write {name}=1,2") from None
    return grid


def _number(text: str) -> Value:
    try:
        return int(text)
    except ValueError:
        return float(text)


def variants(config: ModelConfig, grid: Grid) -> list[tuple[dict[str, Value], ModelConfig]]:
    """Every combination of the grid as a configuration. Raises BadInputError for a value that cannot be."""
    found = []
    for values in itertools.product(*grid.values()):
        settings = dict(zip(grid, values, strict=True))
        chosen = checked({**dict(config.training.hyperparameters), **settings}, Hyperparameters, where="--set")
        training = config.training.model_copy(update={"hyperparameters": chosen})
        found.append((settings, config.model_copy(update={"training": training})))
    return found


def experiment(
    config: ModelConfig, month: Month, grid: Grid, registry: str, progress: Progress
) -> list[ExperimentResult]:
    """Train and score every combination on the month's held-out rows, best first."""
    tried = []
    for settings, variant in variants(config, grid):
        progress(", ".join(f"{name} = {value}" for name, value in settings.items()) or "the model's own file")
        tried.append(_try(variant, month, settings, registry))
    return sorted(tried, key=lambda each: _badness(config.gate.metric, each.score))


def _badness(metric: Metric, score: Score) -> float:
    if score.metric is None:
        return float("inf")
    return -score.metric if metric.higher_is_better else score.metric


def _try(config: ModelConfig, month: Month, settings: dict[str, Value], registry: str) -> ExperimentResult:
    started = datetime.now(UTC)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        trained = train_once(config, month)
    folder = RunFolder(f"{PIPELINE}-{config.name}-{trained.key}")
    tried = folder.path / "tried.json"
    if not tried.exists():
        _record(folder, config, month, settings, trained, registry, started)
    return ExperimentResult.model_validate_json(tried.read_bytes())


def _record(
    folder: RunFolder,
    config: ModelConfig,
    month: Month,
    settings: dict[str, Value],
    trained: TrainedChallenger,
    registry: str,
    started: datetime,
) -> None:
    """The run's folder, as any other's; `tried.json` comes last. What a killed attempt left is written over."""
    text, artefacts = config.model_dump_json(), folder.root / PIPELINE / "evaluate"
    artefacts.mkdir(parents=True, exist_ok=True)
    write_text(folder.spec, text + "\n")
    write_text(folder.root / PIPELINE / "features" / "lineage", trained.lineage.read_text())
    scored = artefacts / "evaluation"
    with folder.log.open("a") as log, redirect_stdout(log):
        steps.evaluate(text, registry, str(trained.challenger), str(trained.holdout), str(trained.lineage), str(scored))
    evaluation = Evaluation.model_validate_json((scored / steps.EVALUATION).read_bytes())
    said = {name: str(value) for name, value in dict(config.training.hyperparameters).items()}
    run = Run(
        id=folder.id,
        pipeline=PIPELINE,
        model=config.name,
        parameters={"month": str(month), "commit": commit(), "code_version": code_version(), **said},
        spec_sha256=trained.key,
        state=RunState.RUNNING,
        started=started,
    )
    folder.finish(run, RunState.SUCCEEDED)
    lineage, fit = trained.read_lineage(), trained.fit()
    made = ExperimentResult(
        run_id=folder.id,
        settings=settings,
        score=evaluation.challenger,
        prediction_hash=fit.prediction_hash,
        data_hash=lineage.data_hash,
        seconds=trained.seconds,
    )
    write_text(folder.path / "tried.json", made.model_dump_json(indent=1) + "\n")


def as_recorded(tried: Sequence[ExperimentResult]) -> list[ExperimentRun]:
    """What Vertex AI Experiments is told of each run; named by everything that it is made from, as here."""
    return [
        ExperimentRun(
            name=each.run_id.rpartition("-")[2],
            parameters={**each.settings, "run_id": each.run_id, "data_hash": each.data_hash},
            metrics={each.score.name: each.score.metric, **each.score.others, "rows": float(each.score.rows)},
        )
        for each in tried
    ]


def promote(run_id: str, registry: str) -> Decision:
    """Put an experiment's run before the gate: champion if it is let in. Raises BadInputError for another run."""
    folder = RunFolder(run_id)
    run = folder.read()
    if run.pipeline != PIPELINE:
        raise BadInputError(f"{run_id!r} is a run of {run.pipeline}, not an experiment", hint="fonderie runs list")
    config = ModelConfig.model_validate_json(folder.spec.read_bytes())
    with folder.log.open("a") as log, redirect_stdout(log):
        trained = train_once(config, Month.parse(run.parameters["month"]))
        place = folder.root / PIPELINE / "gate" / _champion(config, registry)
        return judge_and_promote(config, trained, registry, place, run_id=run_id)


def _champion(config: ModelConfig, registry: str) -> str:
    """Asked again under another champion, the gate is asked again."""
    from ml.registry import open_registry

    return f"against-{open_registry(config.name, registry).aliases().champion or 'none'}"
