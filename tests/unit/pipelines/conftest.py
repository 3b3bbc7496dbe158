"""A quick model on invented months."""

from __future__ import annotations

from pathlib import Path

import pytest

from ml.datasets.months import Month
from ml.models import ModelConfig, load_model
from tests.flights import months_between, write_months


@pytest.fixture(scope="session")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Invented months 2013-01 to 2013-07; a test that changes one takes a copy."""
    months = months_between(Month(2013, 1), Month(2013, 7))
    return write_months(tmp_path_factory.mktemp("invented"), months, per_day=100)


@pytest.fixture(scope="session")
def quick() -> ModelConfig:
    """air_time with few trees, and a gate for months of a tenth of the real rows."""
    config = load_model("air_time")
    small = {"min_rows": 200, "min_slice_rows": 40, "bootstrap_samples": 20, "floor": 60.0, "max_gain": 0.9}
    trees = config.training.hyperparameters.model_copy(update={"max_iter": 12, "learning_rate": 0.3})
    return config.model_copy(
        update={
            "gate": config.gate.model_copy(update=small),
            "training": config.training.model_copy(update={"hyperparameters": trees}),
            "drift": config.drift.model_copy(update={"min_new_rows": 500}),
        }
    )
