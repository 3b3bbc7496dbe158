"""Made-up flights and the pipeline fitted on them: what a registered version looks like, in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from ml.serving.scoring.compiled_version import Parity, compile_version

NUMERIC = ["distance", "sched_dep_min", "temp", "wind_speed"]
CATEGORICAL = ["origin", "dest"]
FEATURES = [*NUMERIC, *CATEGORICAL]
AIRPORTS = ["EWR", "JFK", "LGA"]
DESTINATIONS = [f"D{number:02d}" for number in range(40)]
INSTANCE = {"distance": 733.0, "sched_dep_min": 610, "temp": 41.5, "wind_speed": None, "origin": "JFK", "dest": "D07"}


def make_flights(rows: int = 3000, seed: int = 0) -> pd.DataFrame:
    """Features with nulls, and `air_time`, minutes."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "distance": rng.uniform(100, 2500, rows),
            "sched_dep_min": rng.integers(300, 1400, rows).astype(float),
            "temp": np.where(rng.random(rows) < 0.05, np.nan, rng.normal(50, 20, rows)),
            "wind_speed": np.where(rng.random(rows) < 0.05, np.nan, rng.gamma(2, 5, rows)),
            "origin": pd.Series(rng.choice(AIRPORTS, rows), dtype="str"),
            "dest": pd.Series(rng.choice(DESTINATIONS, rows), dtype="str"),
        }
    )
    frame.loc[rng.random(rows) < 0.03, "origin"] = None
    lift = frame["dest"].str[1:].astype(float) % 7
    frame["air_time"] = frame["distance"] / 8 + lift + 0.1 * frame["wind_speed"].fillna(0) + rng.normal(0, 2, rows)
    return frame


def fit(
    frame: pd.DataFrame, *, task: str = "regression", leaves: int = 31, iterations: int = 60, seed: int = 0
) -> Pipeline:
    """The ordinal encoding and the trees, as the models of this repository have them."""
    encode = ColumnTransformer(
        [
            ("numbers", "passthrough", NUMERIC),
            ("names", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), CATEGORICAL),
        ]
    )
    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    trees = kind(categorical_features=[4, 5], max_iter=iterations, max_leaf_nodes=leaves, random_state=seed)
    target = frame["air_time"] if task == "regression" else (frame["air_time"] > 160).astype(int)
    return Pipeline([("encode", encode), ("trees", trees)]).fit(frame[FEATURES], target)


def register(folder: Path, pipeline: Pipeline, *, model: str = "air_time", task: str = "regression") -> Parity:
    """Compile it into `folder`, with probes from other rows than it was fitted on."""
    return compile_version(
        folder, pipeline=pipeline, model=model, task=task, features=FEATURES, sample=make_flights(300, seed=9)
    )
