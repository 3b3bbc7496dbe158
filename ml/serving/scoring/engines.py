"""Two ways to score the same trees, fastest first; a version is served by the first that answers exactly."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonderie.core.errors import BadDataError
from fonderie.core.files import replacing
from ml.serving.scoring.encoder import Matrix
from ml.serving.scoring.pipeline_parts import Feed
from ml.serving.scoring.schema import Schema, Task

Predictions = NDArray[np.float64]
Predict = Callable[[Matrix], Predictions]
"""Matrix (rows, features) to predictions (rows,): numbers, or probabilities of the positive class."""

TRUSTED = (
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)
"""Types besides skops' own list that a file of a pipeline may name; any other is refused."""


class Engine(StrEnum):
    """What scores: bit tables, or the scikit-learn pipeline itself."""

    TABLES = "tables"
    SKLEARN = "sklearn"

    @classmethod
    def _missing_(cls, value: object) -> Engine | None:
        """Versions of before 2026-11-28 may name treelite, which was the second of three."""
        return cls.SKLEARN if value == "treelite" else None

    @property
    def file(self) -> str:
        """The name of its file in a version's folder."""
        return {Engine.TABLES: "serving-trees.npz", Engine.SKLEARN: "serving-pipeline.skops"}[self]


def write_engine(engine: Engine, path: Path, *, pipeline: Any, trees: Any, feeds: list[Feed]) -> None:
    """Compile the pipeline for `engine` into `path`. Raises NotCompiledError when it can't hold it."""
    match engine:
        case Engine.TABLES:
            from ml.serving.scoring.compiler import compile_tables

            arrays = compile_tables(trees, feeds)
            with replacing(path) as draft:
                np.savez_compressed(draft, allow_pickle=False, **arrays)
        case Engine.SKLEARN:
            from ml.serving.scoring.archive import dump

            with replacing(path) as draft:
                dump(pipeline, draft)


def read_engine(engine: Engine, path: Path, schema: Schema) -> Predict:
    """The scoring function in `path`. Raises BadDataError when the file is not what it says."""
    match engine:
        case Engine.TABLES:
            return _tables(path, schema)
        case Engine.SKLEARN:
            return _sklearn(path, schema)


def _tables(path: Path, schema: Schema) -> Predict:
    from ml.serving.scoring.tables import Tables

    with np.load(path, allow_pickle=False) as arrays:
        tables = Tables(arrays)
    if tables.features != len(schema.fields):
        raise BadDataError(
            f"the trees read {tables.features} features, the schema has {len(schema.fields)}", where=path
        )
    if schema.task is Task.REGRESSION:
        return tables.score
    return lambda matrix: 1.0 / (1.0 + np.exp(-tables.score(matrix)))


def _sklearn(path: Path, schema: Schema) -> Predict:
    from ml.serving.scoring.frames import frame_of

    return pipeline_predict(load_pipeline(path), schema, frame_of)


def load_pipeline(path: Path) -> Any:
    """The scikit-learn object in a skops file. Raises BadDataError: no such file, or a type that is not trusted."""
    from skops import io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return io.load(path, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise BadDataError(f"contains untrusted types: {error}", where=path) from None
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise BadDataError(f"cannot be read as a model: {error}", where=path) from error


def pipeline_predict(pipeline: Any, schema: Schema, frame_of: Callable[[Schema, Matrix], Any]) -> Predict:
    """The pipeline's own answers for encoded rows: what every engine is compared with."""

    def predict(matrix: Matrix) -> Predictions:
        frame = frame_of(schema, matrix)
        if schema.task is Task.REGRESSION:
            return np.asarray(pipeline.predict(frame), dtype=np.float64)
        return np.asarray(pipeline.predict_proba(frame)[:, 1], dtype=np.float64)

    return predict
