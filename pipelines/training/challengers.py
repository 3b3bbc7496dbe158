"""Challengers made in this process by the steps of the training pipeline, each once; and the gate for one of them.

The simulation's strategies and the experiments share them. A challenger is kept under `.fonderie/cache/trainings`, by a
hash of everything it is made from: data, features, the part of the model's file that training reads, and the code."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from fonderie.core.files import write_text
from fonderie.core.home import home
from ml.datasets.months import Month
from ml.evaluation.decision import Decision, Outcome
from ml.models import ModelConfig
from ml.registry import Alias, open_registry
from ml.registry.lineage import Lineage, Partitions
from ml.training.artefact import FIT, Fit
from pipelines.compile import code_version
from pipelines.training import steps
from pipelines.training.run import commit


@dataclass(frozen=True)
class TrainedChallenger:
    """A challenger's folder: `lineage.json`, `holdout.parquet`, `challenger/` (see ml.training.artefact)."""

    folder: Path

    @property
    def lineage(self) -> Path:
        """File with the data, months, code and configuration of the training (ml.registry.lineage)."""
        return self.folder / "lineage.json"

    @property
    def holdout(self) -> Path:
        """Parquet file of the held-out rows, which the training did not see."""
        return self.folder / "holdout.parquet"

    @property
    def challenger(self) -> Path:
        """Folder with the model, its probes and its fit."""
        return self.folder / "challenger"

    @property
    def key(self) -> str:
        """The hash of what it is made from."""
        return self.folder.name

    @property
    def seconds(self) -> float:
        """Duration of the training, in seconds."""
        return float(json.loads((self.folder / "took.json").read_text())["seconds"])

    @property
    def model_hash(self) -> str:
        """SHA-256 of the model file, 64 hexadecimal digits."""
        return self.fit().model_hash

    def fit(self) -> Fit:
        """What the training recorded about the model, from its folder."""
        return Fit.model_validate_json((self.challenger / FIT).read_text())

    def read_lineage(self) -> Lineage:
        """Parse `lineage.json`."""
        return Lineage.model_validate_json(self.lineage.read_text())


def train_once(config: ModelConfig, month: Month, months: Sequence[Month] = ()) -> TrainedChallenger:
    """The challenger of `month`, trained now unless the same one was before. Safe to kill: it is whole or absent.

    Its rows are of `months`, which end with `month`; without any, of the model's window.
    """
    from ml.datasets.sources import source

    months = list(months) or source().latest(month, config.training.window_months)
    folder = home() / "cache" / "trainings" / config.name / f"{month}-{_key(config, months)}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".draft-"))
        try:
            _train(config, months, draft)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return TrainedChallenger(folder)


def _key(config: ModelConfig, months: Sequence[Month]) -> str:
    from ml.features.tables import build

    built = build(config, months)
    read = config.model_dump_json(include={"name", "task", "target", "features", "data", "training"})
    columns = ",".join(config.gate.columns)  # of the held-out rows
    parts = [built.data_hash, built.feature_hash, read, columns, code_version(), *map(str, months)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _train(config: ModelConfig, months: Sequence[Month], folder: Path) -> None:
    start = time.perf_counter()
    made, text = TrainedChallenger(folder), config.model_dump_json()
    partitions, training = folder / "partitions.json", folder / "training.parquet"
    read = Partitions(model=config.name, month=str(months[-1]), months=tuple(map(str, months)), data="")
    write_text(partitions, read.model_dump_json(indent=1) + "\n")
    steps.features(text, str(partitions), str(training), str(made.holdout), str(made.lineage))
    steps.train(text, str(training), str(made.challenger))
    training.unlink()
    write_text(folder / "took.json", json.dumps({"seconds": round(time.perf_counter() - start, 3)}))


def judge_and_promote(
    config: ModelConfig, trained: TrainedChallenger, registry: str, folder: Path, *, run_id: str
) -> Decision:
    """Score against the champion, ask the gate, promote if it lets the challenger in; `folder` keeps what was said.

    Run again after a kill, the gate's answer in `folder` stands: a challenger that was promoted already would be
    compared with itself.
    """
    text = config.model_dump_json()
    decision = folder / "decision.json"
    said = _read(decision)
    if said is None:
        steps.evaluate(text, registry, str(trained.challenger), str(trained.holdout), str(trained.lineage), str(folder))
        steps.gate(text, registry, str(folder), str(trained.lineage), str(decision))
        said = Decision.model_validate_json(decision.read_bytes())
    if said.outcome is Outcome.PROMOTE and not _was_promoted(config.name, registry, run_id):
        made = steps.promotion_files(str(trained.challenger), str(trained.lineage), str(folder), str(decision))
        steps.promote(text, registry, steps.origin(run_id, commit(), code_version()), made)
    return said


def _was_promoted(model: str, registry: str, run_id: str) -> bool:
    """Did this run's version become champion before, whatever has replaced it since?"""
    versions = open_registry(model, registry)
    numbers = {record.version for record in versions.list() if record.run_id == run_id}
    return any(move.alias is Alias.CHAMPION and move.after in numbers for move in versions.aliases().moves)


def _read(path: Path) -> Decision | None:
    try:
        return Decision.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
