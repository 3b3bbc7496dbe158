"""What a model answers, read from the serving files beside it: what is measured is what will serve.

They answer as the scikit-learn pipeline does to 1e-9 (checked when they were compiled and each time they are read), and
reading them imports neither scikit-learn nor pandas nor skops: two seconds of a task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from fonderie.core.errors import BadDataError
from ml.datasets.parquet import content_hash
from ml.serving.scoring.compiled_version import MANIFEST, Served, load_version
from ml.serving.scoring.encoder import Matrix
from ml.serving.scoring.frames import matrix_of


@dataclass(frozen=True)
class Answers:
    """A model's features and its predictions: the target's unit, or the probability of the positive class."""

    served: Served

    @property
    def features(self) -> tuple[str, ...]:
        """In the order of the matrix's columns."""
        return self.served.schema.names

    def matrix(self, rows: pa.Table) -> Matrix:
        """The features as numbers, (rows, features); an unknown category is NaN, as a missing value is.

        Raises BadDataError naming the features that are missing.
        """
        missing = [name for name in self.features if name not in rows.column_names]
        if missing:
            raise BadDataError(f"features missing: {', '.join(missing)}", where="rows")
        return matrix_of(self.served.schema, rows)[0]

    def predict(self, matrix: Matrix) -> Matrix:
        """One number a row."""
        return np.asarray(self.served.predict(matrix), dtype=np.float64)


def read_answers(folder: Path, *, model: str, files: Mapping[str, str], version: str = "challenger") -> Answers:
    """Read the folder of a model; `files` are the SHA-256 it was trained or registered with.

    Raises BadDataError for a file that is missing or another one, RefusedError when the probes are answered otherwise.
    """
    for name in files:
        if not (folder / name).is_file():
            raise BadDataError("a file of the model is missing", where=folder / name)
        if content_hash(folder / name) != files[name]:
            raise BadDataError("is not the registered file: its SHA-256 differs", where=folder / name)
    if MANIFEST not in files:
        raise BadDataError("there are no serving files", where=folder)
    return Answers(load_version(folder, version=version, model=model))
