"""How many of each type every stack of every environment holds, with one model; reviewed, never regenerated blind.

python -m tests.unit.infra.test_inventory    # writes the snapshot; look at its diff
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from fonderie.core.files import write_text
from infra import names
from infra.main import synthesise
from infra.settings import environment_names, load_environment
from infra.workloads import PipelineName
from tests.unit.conftest import Synthesised, stacks_of
from tests.unit.infra.synthesised import counts, one
from tests.unit.infra.workloads import one_model, two_models
from tests.unit.infra.workloads import pipeline as a_pipeline

SNAPSHOT = Path(__file__).parents[2] / "snapshot" / "inventory.json"
Inventory = dict[str, dict[str, int]]


def inventory(stacks: Synthesised) -> Inventory:
    return {name: dict(sorted(counts(stack).items())) for name, stack in sorted(stacks.items())}


def with_one_model(folder: Path) -> Synthesised:
    synthesise([load_environment(name) for name in environment_names()], folder, one_model)
    return stacks_of(folder)


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    return with_one_model(tmp_path_factory.mktemp("inventory"))


@pytest.fixture(scope="module")
def found(fixed: Synthesised) -> Inventory:
    return inventory(fixed)


def test_the_inventory_is_the_reviewed_one(found: Inventory) -> None:
    assert found == json.loads(SNAPSHOT.read_text())


def test_another_model_with_the_same_features_is_its_endpoint_pipelines_and_alerts_and_nothing_else(
    found: Inventory, tmp_path: Path
) -> None:
    synthesise([load_environment("prod")], tmp_path, two_models)
    after = inventory(stacks_of(tmp_path))
    more = {
        (stack, kind): number - found[stack].get(kind, 0)
        for stack, kinds in after.items()
        for kind, number in kinds.items()
        if number != found[stack].get(kind, 0)
    }
    assert more == {
        ("prod-runtime", "vertex_ai_endpoint"): 1,
        ("prod-delivery", "storage_bucket_object"): 2,
        ("prod-delivery", "cloud_scheduler_job"): 2,
        ("prod-delivery", "monitoring_alert_policy"): 2,
    }


def test_terraform_takes_a_compiled_spec_character_by_character(fixed: Synthesised) -> None:
    """`${...}` in a spec is Kubeflow's: Terraform would evaluate it."""
    spec = one(fixed["local-delivery"], "storage_bucket_object", name=template("fuel", "training"))
    assert "$${not} %%{a} template" in spec["content"]


def template(model: str, pipeline: str) -> str:
    return names.template(model, pipeline, a_pipeline(model, PipelineName(pipeline)).sha256)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        write_text(SNAPSHOT, json.dumps(inventory(with_one_model(Path(scratch))), indent=1) + "\n")
