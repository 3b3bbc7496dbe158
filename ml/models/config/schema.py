"""The JSON schema of the model files, for editors: `python -m ml.models.config.schema` writes it."""

from __future__ import annotations

import json

from fonderie.core.files import write_text
from ml.models.config.loading import models_folder
from ml.models.config.model import ModelConfig


def schema_text() -> str:
    """What `ml/models/schema.json` holds."""
    return json.dumps(ModelConfig.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    write_text(models_folder() / "schema.json", schema_text())
