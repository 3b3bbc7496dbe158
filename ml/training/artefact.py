"""A trained model as a folder: skops with a closed list of types, never pickle; probes; the reference for drift."""

from __future__ import annotations

import hashlib
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from fonderie.core.errors import BadDataError, StepFailedError
from fonderie.core.files import replacing, write_text
from ml.datasets.parquet import content_hash, write_parquet
from ml.models import ModelConfig
from ml.registry import SchemaColumn
from ml.serving.scoring.archive import dump
from ml.serving.scoring.engines import TRUSTED, load_pipeline

PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "skops", "duckdb", "ibis-framework", "kfp")
PROBES = 256
REFERENCE_ROWS = 20_000
MODEL, PROBE, REFERENCE, FIT = "model.skops", "probe.parquet", "reference.parquet", "fit.json"


class Fit(BaseModel):
    """What training says of the folder it wrote."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str
    features: tuple[SchemaColumn, ...]
    parameters: dict[str, float | int | str | bool | None]
    seed: int
    rows: int
    model_hash: str
    prediction_hash: str
    packages: dict[str, str]
    environment: dict[str, str] = {}
    files: dict[str, str]


def save(config: ModelConfig, pipeline: Any, rows: pa.Table, folder: Path) -> Fit:
    """Write a fitted pipeline with all that is kept beside it into `folder`; fit.json comes last."""
    from ml.evaluation.baselines import BASELINES, baselines_of
    from ml.serving.scoring.compiled_version import compile_version
    from ml.training.fit import frame

    folder.mkdir(parents=True, exist_ok=True)
    save_model(pipeline, folder / MODEL)
    probes = rows.take(np.linspace(0, len(rows) - 1, min(PROBES, len(rows))).astype(np.int64))
    expected = _write_predicted(config, pipeline, probes, folder / PROBE)
    rng = np.random.default_rng(config.training.seed)
    drawn = np.sort(rng.choice(len(rows), min(REFERENCE_ROWS, len(rows)), replace=False))
    _write_predicted(config, pipeline, rows.take(drawn), folder / REFERENCE)
    write_text(folder / BASELINES, baselines_of(config, rows).model_dump_json(indent=1) + "\n")
    names = list(config.features.names)
    compile_version(
        folder,
        pipeline=pipeline,
        model=config.name,
        task=str(config.task),
        features=names,
        sample=frame(rows.slice(max(len(rows) - 5000, 0)), names),
    )
    made = Fit(
        model=config.name,
        features=_schema(config),
        parameters=dict(config.training.hyperparameters),
        seed=config.training.seed,
        rows=len(rows),
        model_hash=content_hash(folder / MODEL),
        prediction_hash=prediction_hash(expected),
        packages={name: metadata.version(name) for name in PACKAGES},
        environment=_environment(),
        files={path.name: content_hash(path) for path in sorted(folder.iterdir()) if path.name != FIT},
    )
    write_text(folder / FIT, made.model_dump_json(indent=2) + "\n")
    return made


def save_model(pipeline: Any, path: Path) -> None:
    """Write a scikit-learn object. Raises StepFailedError when it holds a type outside the list."""
    import skops.io

    with replacing(path) as draft:
        dump(pipeline, draft)
        strange = set(skops.io.get_untrusted_types(file=draft)) - set(TRUSTED)
        if strange:
            raise StepFailedError(f"contains untrusted types: {', '.join(sorted(strange))}", where=path)


def _environment() -> dict[str, str]:
    """What besides packages may change a sum's last digit."""
    processors = str(os.cpu_count() or "")
    return {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": processors,
        "threads": os.environ.get("OMP_NUM_THREADS", processors),
    }


def load_model(path: Path, expected_hash: str | None = None) -> Any:
    """Read it back. Raises BadDataError: another SHA-256 than expected, no skops file, or a type outside the list."""
    if expected_hash is not None and content_hash(path) != expected_hash:
        raise BadDataError("is not the registered file: its SHA-256 differs", where=path)
    return load_pipeline(path)


def prediction_hash(predictions: NDArray[np.float64]) -> str:
    """SHA-256 of predictions to nine decimals: equal also where another platform gives the file other bytes."""
    return hashlib.sha256(np.round(predictions, 9).astype("<f8").tobytes()).hexdigest()


def _write_predicted(config: ModelConfig, pipeline: Any, rows: pa.Table, path: Path) -> NDArray[np.float64]:
    """Features, target and prediction of `rows`."""
    from ml.training.fit import frame, predict

    predictions = predict(pipeline, frame(rows, config.features.names))
    table = rows.select([*config.features.names, "target"]).append_column("prediction", pa.array(predictions))
    write_parquet(table, path)
    return predictions


def _schema(config: ModelConfig) -> tuple[SchemaColumn, ...]:
    kinds = dict.fromkeys(config.features.categorical, "categorical")
    return tuple(SchemaColumn(name=name, kind=kinds.get(name, "numeric")) for name in config.features.names)
