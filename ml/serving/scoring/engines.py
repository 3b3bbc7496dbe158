"""Three ways to score the same trees, fastest first; a version is served by the first that answers exactly."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonderie.core.errors import BadDataError
from fonderie.core.files import replacing, write_bytes
from ml.serving.scoring.encoder import Matrix
from ml.serving.scoring.pipeline_parts import Feed, NotCompiledError
from ml.serving.scoring.schema import Schema, Task

Predictions = NDArray[np.float64]
Predict = Callable[[Matrix], Predictions]
"""Matrix (rows, features) to predictions (rows,): numbers, or probabilities of the positive class."""

TRUSTED = (
    "functools.partial",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)
"""Types besides skops' own list that a pipeline's file may name; any other is refused."""


class Engine(StrEnum):
    """What scores: bit tables, treelite's GTIL, or the scikit-learn pipeline itself."""

    TABLES = "tables"
    TREELITE = "treelite"
    SKLEARN = "sklearn"

    @property
    def file(self) -> str:
        """The name of its file in a version's folder."""
        return {
            Engine.TABLES: "serving-trees.npz",
            Engine.TREELITE: "serving-trees.treelite",
            Engine.SKLEARN: "serving-pipeline.skops",
        }[self]


def write_engine(engine: Engine, path: Path, *, pipeline: Any, trees: Any, feeds: list[Feed]) -> None:
    """Compile the pipeline for `engine` into `path`. Raises NotCompiledError when it can't hold it."""
    match engine:
        case Engine.TABLES:
            from ml.serving.scoring.compiler import compile_tables

            arrays = compile_tables(trees, feeds)
            with replacing(path) as draft:
                np.savez_compressed(draft, allow_pickle=False, **arrays)
        case Engine.TREELITE:
            write_bytes(path, _treelite_bytes(trees, feeds))
        case Engine.SKLEARN:
            from skops import io

            with replacing(path) as draft:
                io.dump(pipeline, draft)


def _treelite_bytes(trees: Any, feeds: list[Feed]) -> bytes:
    import treelite

    if [feed.column for feed in feeds] != list(range(len(feeds))):
        raise NotCompiledError("treelite wants the fields in the ensemble's own order")
    if any(feed.values and isinstance(feed.values[0], str) for feed in feeds):
        raise NotCompiledError("treelite reads no categories that are strings")
    try:
        data: bytes = treelite.sklearn.import_model(trees).serialize_bytes()
    except (NotImplementedError, treelite.TreeliteError) as error:
        raise NotCompiledError(f"treelite: {error}") from None
    return data


def read_engine(engine: Engine, path: Path, schema: Schema) -> Predict:
    """The scoring function in `path`. Raises BadDataError when the file is not what it says."""
    match engine:
        case Engine.TABLES:
            return _tables(path, schema)
        case Engine.TREELITE:
            return _treelite(path)
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


def _treelite(path: Path) -> Predict:
    import treelite

    model = treelite.Model.deserialize_bytes(path.read_bytes())

    def predict(matrix: Matrix) -> Predictions:
        answers: Predictions = treelite.gtil.predict(model, matrix, nthread=1).reshape(len(matrix), -1)[:, -1]
        return answers

    return predict


def _sklearn(path: Path, schema: Schema) -> Predict:
    from skops import io

    from ml.serving.scoring.frames import frame_of

    strange = sorted(set(io.get_untrusted_types(file=path)) - set(TRUSTED))
    if strange:
        raise BadDataError(f"the pipeline's file names types that are not trusted: {', '.join(strange)}", where=path)
    pipeline = io.load(path, trusted=list(TRUSTED))
    return pipeline_predict(pipeline, schema, frame_of)


def pipeline_predict(pipeline: Any, schema: Schema, frame_of: Callable[[Schema, Matrix], Any]) -> Predict:
    """The pipeline's own answers for encoded rows: what every engine is compared with."""

    def predict(matrix: Matrix) -> Predictions:
        frame = frame_of(schema, matrix)
        if schema.task is Task.REGRESSION:
            return np.asarray(pipeline.predict(frame), dtype=np.float64)
        return np.asarray(pipeline.predict_proba(frame)[:, 1], dtype=np.float64)

    return predict
