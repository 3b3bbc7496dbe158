"""What a model must beat: predictors without a model, made from the training rows, kept beside the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ml.evaluation.metrics import MAE
from ml.models import ModelConfig

Floats = NDArray[np.float64]
BASELINES = "baselines.json"
CONSTANT = "constant"


class Baselines(BaseModel):
    """The best constant for the gate's metric (its median or mean), and that of each category of each feature."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    constant: float
    groups: dict[str, dict[str, float]]

    def predictions(self, rows: pa.Table, naive_feature: str | None) -> dict[str, Floats]:
        """By name, one number a row. A category or a value that is not known is answered with the constant."""
        whole = np.full(len(rows), self.constant)
        found = {CONSTANT: whole}
        for feature, known in self.groups.items():
            if feature in rows.column_names:
                said = [known.get(value, self.constant) for value in rows[feature].to_pylist()]
                found[f"by {feature}"] = np.array(said, dtype=np.float64)
        if naive_feature is not None:
            values = rows[naive_feature].to_numpy().astype(np.float64)
            found[naive_feature] = np.where(np.isfinite(values), values, whole)
        return found


def baselines_of(config: ModelConfig, rows: pa.Table) -> Baselines:
    """From training rows with the model's features and `target`."""
    best: Callable[[Floats], np.floating] = np.median if config.gate.metric is MAE else np.mean
    target = rows["target"].to_numpy()
    groups = {}
    for feature in config.features.categorical:
        names, place, counts = np.unique(
            np.array([str(value) for value in rows[feature].to_pylist()]), return_inverse=True, return_counts=True
        )
        parts = np.split(target[np.argsort(place, kind="stable")], np.cumsum(counts)[:-1])
        groups[feature] = {str(name): float(best(part)) for name, part in zip(names, parts, strict=True)}
    return Baselines(constant=float(best(target)), groups=groups)


def read_baselines(folder: Path) -> Baselines:
    """Of a challenger's or a version's folder."""
    return Baselines.model_validate_json((folder / BASELINES).read_bytes())
