"""A small model on small invented months: whole pipeline runs in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ml.datasets.months import Month
from tests.flights import write_months

MONTHS = tuple(Month(2013, month) for month in (1, 2, 3))

SMALL = """
name = "small"
description = "Minutes in the air, on few rows."
task = "regression"

[target]
column = "air_time"

[features]
numeric = ["distance", "sched_dep_min", "temp"]
categorical = ["origin", "dest", "carrier"]

[data]
max_quarantined_fraction = 0.02
holdout_fraction = 0.3
max_bytes_billed = 1_000_000

[training]
window_months = 3
seed = 7

[training.hyperparameters]
max_iter = 20
learning_rate = 0.3
max_leaf_nodes = 15

[gate]
metric = "mae"
floor = 15.0
ceiling = 1.0
min_gain = 0.01
min_rows = 200
min_slice_rows = 50

[gate.slice_tolerance]
origin = 0.2

[drift]
feature_js = 0.1
category_linf = 0.1
prediction_js = 0.1
null_rate_change = 0.1
error_increase = 0.15
debounce_alarms = 1
debounce_windows = 2
cooldown_days = 28
min_new_rows = 500

[serving]
max_disagreement = 5.0
"""


@dataclass(frozen=True)
class Place:
    """Folders of a run that touches nothing else, and the environment that points there."""

    home: Path
    data: Path
    models: Path

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "FONDERIE_HOME": str(self.home),
            "FONDERIE_DATA": str(self.data),
            "FONDERIE_MODELS": str(self.models),
            "OMP_NUM_THREADS": "1",
        }


def small_place(folder: Path, *, per_day: int = 40, text: str = SMALL) -> Place:
    """Months 2013-01 to 2013-03 and the model `small` under `folder`."""
    models = folder / "models"
    models.mkdir(parents=True)
    (models / "small.toml").write_text(text)
    return Place(folder / "home", write_months(folder / "data", MONTHS, per_day=per_day), models)
