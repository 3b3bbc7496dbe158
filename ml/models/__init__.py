"""A model's TOML file as a typed value: `load_model("air_time")`, `list_models()`."""

from __future__ import annotations

from ml.evaluation.metrics import TaskKind
from ml.models.config.compute import Task
from ml.models.config.drift import Drift
from ml.models.config.gate import Gate
from ml.models.config.loading import list_models, load_model, models_folder
from ml.models.config.model import ModelConfig, Target, Training
from ml.models.config.serving import Serving

__all__ = [
    "Drift",
    "Gate",
    "ModelConfig",
    "Serving",
    "Target",
    "Task",
    "TaskKind",
    "Training",
    "list_models",
    "load_model",
    "models_folder",
]
