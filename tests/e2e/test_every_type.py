"""Every resource type of the schema, in its smallest and its fullest configuration, through the real Terraform."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.lifecycle.interface import DiagnosticSeverity
from fonderie.sandbox.lifecycle.lifecycle import GoogleLifecycle
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.planning.fields import fields_of
from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.protocol.server import RunningProvider, serve_provider
from fonderie.sandbox.protocol.wire import conform
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import ProviderSchema
from tests.unit.fonderie.sandbox.minimal import fullest, minimal

pytestmark = pytest.mark.e2e
PROVIDER = {"project": "demo-proj", "region": "us-central1", "zone": "us-central1-a"}


@pytest.fixture(scope="module")
def schema() -> ProviderSchema:
    return ProviderSchema.load(Path("tests/data/google/schema@7.45.0.json.gz"))


@pytest.fixture
def running(schema: ProviderSchema, tmp_path: Path) -> Iterator[RunningProvider]:
    facts = Facts.load()
    world = World(Cloud(tmp_path / "cloud.sqlite"), schema, facts, established=True)
    with world.cloud, serve_provider(schema, Planner(schema, facts), GoogleLifecycle(world)) as up:
        yield up


def terraform(running: RunningProvider, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, **running.environment, "CHECKPOINT_DISABLE": "1"}
    command = ["terraform", *arguments, "-no-color"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def write(folder: Path, resources: Mapping[str, dict[str, Any]]) -> None:
    """One resource of each type; what goes with its parent depends on it."""
    parents = {"bucket": "google_storage_bucket", "cluster": "google_container_cluster"}
    for config in resources.values():
        above = [parent for argument, parent in parents.items() if argument in config and parent in resources]
        config["depends_on"] = [f"{parent}.a" for parent in above]
    described = {"provider": {"google": PROVIDER}, "resource": {name: {"a": one} for name, one in resources.items()}}
    (folder / "main.tf.json").write_text(json.dumps(described))


def made_and_planned_empty(running: RunningProvider, folder: Path, count: int) -> None:
    terraform(running, folder, "init")
    assert f"{count} added, 0 changed" in terraform(running, folder, "apply", "-auto-approve")
    terraform(running, folder, "plan", "-detailed-exitcode")


def test_all_types_in_their_smallest_configuration(
    schema: ProviderSchema, running: RunningProvider, tmp_path: Path
) -> None:
    facts = Facts.load()
    write(tmp_path, {name: minimal(fields_of(schema.resource(name).block, facts.type(name))) for name in schema.types})
    made_and_planned_empty(running, tmp_path, len(schema.types))
    assert f"{len(schema.types)} destroyed" in terraform(running, tmp_path, "destroy", "-auto-approve")


def test_types_in_their_fullest_configuration(schema: ProviderSchema, running: RunningProvider, tmp_path: Path) -> None:
    facts, planner = Facts.load(), Planner(schema, Facts.load())
    resources = {}
    for name in schema.types:
        block = schema.resource(name).block
        config = fullest(fields_of(block, facts.type(name)))
        typed = {key: conform(value, block.type[1][key]) for key, value in config.items()}
        found = planner.validate(name, {**block.empty(), **typed})
        if not any(
            one.severity is DiagnosticSeverity.ERROR for one in found
        ):  # numbers that belong together are not told
            resources[name] = config
    assert len(resources) > 130
    write(tmp_path, resources)
    made_and_planned_empty(running, tmp_path, len(resources))
