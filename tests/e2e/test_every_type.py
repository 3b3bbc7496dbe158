"""Every resource type of the schema, in its smallest configuration, through the real Terraform."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.sandbox.cloud import Cloud
from infra.sandbox.facts import Facts
from infra.sandbox.lifecycle import GoogleLifecycle
from infra.sandbox.planner import Planner
from infra.sandbox.planning.fields import fields_of
from infra.sandbox.schema import Schema
from infra.sandbox.server import Running, serving
from infra.sandbox.world import World
from tests.unit.infra.sandbox.minimal import minimal

pytestmark = pytest.mark.e2e
PROVIDER = {"project": "demo-proj", "region": "us-central1", "zone": "us-central1-a"}


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.load(Path("tests/data/google/schema@7.45.0.json.gz"))


@pytest.fixture(scope="module")
def running(schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    facts = Facts.load()
    world = World(Cloud(tmp_path_factory.mktemp("cloud") / "cloud.sqlite"), schema, facts, established=True)
    with world.cloud, serving(schema, Planner(schema, facts), GoogleLifecycle(world)) as up:
        yield up


def terraform(running: Running, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, **running.environment, "CHECKPOINT_DISABLE": "1"}
    command = ["terraform", *arguments, "-no-color"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_all_types_are_made_planned_empty_and_destroyed(schema: Schema, running: Running, tmp_path: Path) -> None:
    facts = Facts.load()
    resources = {name: minimal(fields_of(schema.resource(name).block, facts.type(name))) for name in schema.types}
    for config in resources.values():  # what goes when its parent goes
        parents = {"bucket": "google_storage_bucket.a", "cluster": "google_container_cluster.a"}
        config["depends_on"] = [parent for argument, parent in parents.items() if argument in config]
    described = {
        "provider": {"google": PROVIDER},
        "resource": {name: {"a": config} for name, config in resources.items()},
    }
    (tmp_path / "main.tf.json").write_text(json.dumps(described))
    terraform(running, tmp_path, "init")
    assert f"{len(schema.types)} added, 0 changed, 0 destroyed" in terraform(
        running, tmp_path, "apply", "-auto-approve"
    )
    terraform(running, tmp_path, "plan", "-detailed-exitcode")
    assert f"{len(schema.types)} destroyed" in terraform(running, tmp_path, "destroy", "-auto-approve")
