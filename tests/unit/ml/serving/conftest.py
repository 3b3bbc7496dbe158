from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from tests.unit.ml.serving.flights import fit, make_flights, register


@pytest.fixture(scope="session")
def flights() -> pd.DataFrame:
    return make_flights()


@pytest.fixture(scope="session")
def pipeline(flights: pd.DataFrame) -> Pipeline:
    return fit(flights)


@pytest.fixture(scope="session")
def version(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registered version's folder; read only."""
    folder = tmp_path_factory.mktemp("version")
    register(folder, pipeline)
    return folder


@pytest.fixture(scope="session")
def late_version(flights: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier's; read only."""
    folder = tmp_path_factory.mktemp("late")
    register(folder, fit(flights, task="classification", iterations=30), model="late_arrival", task="classification")
    return folder
