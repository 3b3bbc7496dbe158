"""A challenger from rows: gradient boosting in a scikit-learn Pipeline that holds every row-level transform."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from fonderie.core.errors import BadDataError
from ml.features.catalogue import CATALOGUE, FEEDS
from ml.models import ModelConfig, TaskKind
from ml.training.calibration import calibrate

MAX_CATEGORIES = 255
"""Of one feature: what scikit-learn's histogram gradient boosting can bin."""


def build_pipeline(config: ModelConfig) -> Pipeline:
    """Not fitted. Unknown categories at prediction time are read as missing, which the trees handle natively."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan, dtype=np.float64
    )
    columns = ColumnTransformer(
        [
            ("categorical", encoder, list(config.features.categorical)),
            ("numeric", "passthrough", list(config.features.numeric)),
        ],
        verbose_feature_names_out=False,
    )
    boosting = HistGradientBoostingRegressor if config.task is TaskKind.REGRESSION else HistGradientBoostingClassifier
    loss = config.gate.metric.training_loss
    trees = boosting(
        **({"loss": loss} if loss else {}),
        **dict(config.training.hyperparameters),
        categorical_features=list(range(len(config.features.categorical))) or None,
        early_stopping=False,
        random_state=config.training.seed,
    )
    return Pipeline([("columns", columns), ("trees", trees)])


def fit(config: ModelConfig, rows: pa.Table) -> Pipeline:
    """Train on a table with the model's features, `day_number` and `target`; a classifier's answers are probabilities.

    The loss is that of the gate's metric. The same rows and seed give the same predictions.

    Raises BadDataError: a category too many, or one class only.
    """
    for name in config.features.categorical:
        count = len(rows[name].unique())
        if count > MAX_CATEGORIES:
            raise BadDataError(
                f"{count} categories, {MAX_CATEGORIES} at most", where=f"feature {name}", hint="group the rare ones"
            )
    target = rows["target"].to_numpy()
    if config.task is TaskKind.CLASSIFICATION and len(np.unique(target)) < 2:
        raise BadDataError("the training rows are all of one class", where="target", hint="a longer window_months")
    made = _trained(config, rows)
    if config.task is TaskKind.CLASSIFICATION:
        calibrate(made, rows, partial(_trained, config), partial(_raw, config))
    return made


def _trained(config: ModelConfig, rows: pa.Table) -> Pipeline:
    inputs = frame(with_outages(config, rows), config.features.names)
    return build_pipeline(config).fit(inputs, rows["target"].to_numpy())


def _raw(config: ModelConfig, pipeline: Pipeline, rows: pa.Table) -> NDArray[np.float64]:
    """Sums of the leaves, before the logistic function."""
    return np.asarray(pipeline.decision_function(frame(rows, config.features.names)), dtype=np.float64)


def with_outages(config: ModelConfig, rows: pa.Table) -> pa.Table:
    """`rows` as if each feed had been down for `training.feed_outages` of them: its features are null there.

    So that a model has learned what to say without a feed before one stops.
    """
    rng = np.random.default_rng(config.training.seed)
    for lookups in FEEDS.values():
        down = pa.array(rng.random(len(rows)) < config.training.feed_outages)
        for name in config.features.numeric:
            if lookups.intersection(CATALOGUE[name].needs):
                column = pc.if_else(down, pa.scalar(None, rows[name].type), rows[name])
                rows = rows.set_column(rows.column_names.index(name), name, column)
    return rows


def frame(rows: pa.Table, features: tuple[str, ...] | list[str]) -> pd.DataFrame:
    """The features as the pipeline reads them: float64 and strings, in this order. Raises BadDataError."""
    missing = [name for name in features if name not in rows.column_names]
    if missing:
        raise BadDataError(f"features missing: {', '.join(missing)}", where="rows")
    made: pd.DataFrame = rows.select(list(features)).to_pandas()
    return made


def predict(pipeline: Any, rows: pd.DataFrame | NDArray[np.float64]) -> NDArray[np.float64]:
    """One number a row: the target's unit, or the probability of the positive class."""
    if hasattr(pipeline, "predict_proba"):
        return np.asarray(pipeline.predict_proba(rows)[:, 1], dtype=np.float64)
    return np.asarray(pipeline.predict(rows), dtype=np.float64)
