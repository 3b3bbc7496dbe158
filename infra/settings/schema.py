"""The JSON schema of the environments' files, for editors: `python -m infra.settings.schema` writes it."""

from __future__ import annotations

import json

from fonderie.core.files import write_text
from infra.settings import ENVIRONMENTS, Environment


def schema_text() -> str:
    """What `infra/environments/schema.json` holds: the model without `name`, which is the file's own."""
    schema = Environment.model_json_schema()
    del schema["properties"]["name"]
    schema["required"].remove("name")
    schema["description"] = "One environment of Fonderie, named by its file."
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    write_text(ENVIRONMENTS / "schema.json", schema_text())
