"""Model files by name."""

from __future__ import annotations

import os
from pathlib import Path

from fonderie.core.errors import BadInputError
from fonderie.core.toml import near, read_toml
from ml.models.config.model import ModelConfig


def models_folder() -> Path:
    """`ml/models`, or the folder FONDERIE_MODELS names."""
    return Path(os.environ.get("FONDERIE_MODELS") or Path(__file__).parents[1])


def list_models() -> list[str]:
    """Names of the models there are, sorted."""
    return sorted(path.stem for path in models_folder().glob("*.toml"))


def load_model(name: str) -> ModelConfig:
    """The model of that name. Raises BadInputError: no such model, or what is wrong in its file."""
    path = models_folder() / f"{name}.toml"
    if name not in list_models():
        raise BadInputError(f"unknown model {name!r}", where=models_folder(), hint=near(name, list_models()))
    config = read_toml(path, ModelConfig)
    if config.name != name:
        raise BadInputError(f"name = {config.name!r}: must be the file's name, {name!r}", where=path)
    return config
