"""What Terraform reads from the sandbox is the schema that the sandbox was given."""

import gzip
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.protocol.server import serve_provider
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import ProviderSchema
from tests.sandbox.memory import MemoryLifecycle

pytestmark = pytest.mark.e2e
FILE = Path("tests/data/google/schema@7.45.0.json.gz")
SOURCE = {"terraform": {"required_providers": {"google": {"source": "hashicorp/google"}}}}


def without_words(value: Any) -> Any:
    """Terraform says of every description that it is plain."""
    if isinstance(value, dict):
        return {key: without_words(inner) for key, inner in value.items() if key != "description_kind"}
    return [without_words(one) for one in value] if isinstance(value, list) else value


def test_schema_comes_back_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "main.tf.json").write_text(json.dumps(SOURCE))
    schema, facts = ProviderSchema.load(FILE), Facts.load()
    with serve_provider(schema, Planner(schema, facts), MemoryLifecycle(schema, facts)) as up:
        environment = {**os.environ, **up.environment, "CHECKPOINT_DISABLE": "1"}
        for command in (["init"], ["providers", "schema", "-json"]):
            done = subprocess.run(
                ["terraform", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
            )
    (served,) = json.loads(done.stdout)["provider_schemas"].values()
    (given,) = json.loads(gzip.decompress(FILE.read_bytes()))["provider_schemas"].values()
    for kind in ("provider", "resource_schemas", "data_source_schemas"):
        assert without_words(served[kind]) == given[kind]
