"""Real flights of early 2013 and a quick model of them, once a session."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.preprocessing import OrdinalEncoder

from ml.datasets.months import Month
from ml.models import ModelConfig, load_model
from ml.monitoring.monitor import Champion, champion_of
from ml.monitoring.shift import Predict

TRAINED_ON = (Month(2013, 1), Month(2013, 2), Month(2013, 3))
NEXT = Month(2013, 4)


@pytest.fixture(scope="session")
def config() -> ModelConfig:
    return load_model("air_time")


@pytest.fixture(scope="session")
def flights(config: ModelConfig, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Feature table of 2013-01 to 2013-04, with a column `of` for the month; read only."""
    from ml.features.tables import build

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FONDERIE_HOME", str(tmp_path_factory.mktemp("home")))
        patch.delenv("FONDERIE_DATA", raising=False)
        table = build(config, [*TRAINED_ON, NEXT]).table().to_pandas()
    return table.assign(of=[str(Month(y, m)) for y, m in zip(table.year, table.month, strict=True)])


@pytest.fixture(scope="session")
def reference(flights: pd.DataFrame) -> pd.DataFrame:
    """Labelled rows of the training months before the held-out tail, sampled as a version keeps them."""
    training = flights[(flights.of < str(NEXT)) & ~((flights.of == "2013-03") & (flights.day > 21))]
    return training[training.target.notna()].sample(20_000, random_state=1)


@pytest.fixture(scope="session")
def predict(config: ModelConfig, reference: pd.DataFrame) -> Predict:
    numeric, categorical = list(config.features.numeric), list(config.features.categorical)
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan).fit(reference[categorical])

    def rows(frame: pd.DataFrame) -> np.ndarray:
        return np.column_stack([frame[numeric].to_numpy(float), encoder.transform(frame[categorical])])

    places = list(range(len(numeric), len(numeric) + len(categorical)))
    model = HistGradientBoostingRegressor(max_iter=40, categorical_features=places, random_state=1)
    model.fit(rows(reference), reference.target)
    return lambda frame: model.predict(rows(frame))


@pytest.fixture(scope="session")
def champion(config: ModelConfig, flights: pd.DataFrame, reference: pd.DataFrame, predict: Predict) -> Champion:
    held_out = flights[(flights.of == "2013-03") & (flights.day > 21) & flights.target.notna()]
    error = float(np.abs(predict(held_out) - held_out.target).mean())
    kept = reference.assign(prediction=predict(reference))
    return champion_of(config, 1, predict, kept, gate_metric=error, months=TRAINED_ON, training_rows=69_000)
