"""Challengers made in this process by the steps of the training pipeline, each once.

The simulation's strategies and the experiments share them. A challenger is kept under `.fonderie/cache/trainings`, by a
hash of everything it is made from: data, features, the part of the model's file that training reads, and the code.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from fonderie.core.files import write_text
from fonderie.core.home import home
from ml.datasets.months import Month
from ml.models import ModelConfig
from ml.registry.lineage import Lineage
from ml.training.artefact import FIT, Fit
from pipelines.compile import code_version
from pipelines.training import steps


@dataclass(frozen=True)
class Trained:
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


def train_once(config: ModelConfig, month: Month) -> Trained:
    """The challenger of `month`, trained now unless the same one was before. Safe to kill: it is whole or absent."""
    from ml.datasets.sources import source

    months = source().latest(month, config.training.window_months)
    folder = home() / "cache" / "trainings" / config.name / f"{month}-{_key(config, months)}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".draft-"))
        try:
            _train(config, month, draft)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return Trained(folder)


def _key(config: ModelConfig, months: list[Month]) -> str:
    from ml.features.tables import build

    built = build(config, months)
    read = config.model_dump_json(include={"name", "task", "target", "features", "data", "training"})
    slices = ",".join(config.gate.slices)  # columns of the held-out rows
    parts = [built.data_hash, built.feature_hash, read, slices, code_version(), *map(str, months)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _train(config: ModelConfig, month: Month, folder: Path) -> None:
    start = time.perf_counter()
    made, text = Trained(folder), config.model_dump_json()
    partitions, training = folder / "partitions.json", folder / "training.parquet"
    steps.extract(text, str(month), "", str(partitions))
    steps.features(text, str(partitions), str(training), str(made.holdout), str(made.lineage))
    steps.train(text, str(training), str(made.challenger))
    training.unlink()
    write_text(folder / "took.json", json.dumps({"seconds": round(time.perf_counter() - start, 3)}))
