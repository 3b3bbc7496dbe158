import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.protocol.server import RunningProvider, serve_provider
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import ProviderSchema
from tests.sandbox.memory import MemoryLifecycle

pytestmark = pytest.mark.e2e
SCHEMA = Path("tests/data/google/schema@7.45.0.json.gz")


@pytest.fixture(scope="module")
def running() -> Iterator[RunningProvider]:
    schema, facts = ProviderSchema.load(SCHEMA), Facts.load()
    with serve_provider(schema, Planner(schema, facts), MemoryLifecycle(schema, facts)) as up:
        yield up


def terraform(running: RunningProvider, folder: Path, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        ["terraform", *arguments, "-no-color"],
        cwd=folder,
        env={**os.environ, **running.environment, "CHECKPOINT_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def configure(folder: Path, provider: Mapping[str, object], resource: Mapping[str, object]) -> None:
    (folder / "main.tf.json").write_text(json.dumps({"provider": {"google": provider}, "resource": resource}))


def test_a_resource_is_planned_applied_unchanged_and_destroyed(running: RunningProvider, tmp_path: Path) -> None:
    configure(tmp_path, {"project": "p"}, {"google_pubsub_topic": {"a": {"name": "events"}}})
    terraform(running, tmp_path, "init")
    assert "1 to add" in terraform(running, tmp_path, "plan")
    terraform(running, tmp_path, "apply", "-auto-approve")
    terraform(running, tmp_path, "plan", "-detailed-exitcode")
    assert "1 destroyed" in terraform(running, tmp_path, "destroy", "-auto-approve")


def test_it_serves_on_after_a_command_has_ended(running: RunningProvider, tmp_path: Path) -> None:
    configure(tmp_path, {"project": "p"}, {"google_pubsub_topic": {"a": {"name": "events"}}})
    for _ in range(3):
        terraform(running, tmp_path, "validate")


def test_a_type_the_provider_has_not_is_named(running: RunningProvider, tmp_path: Path) -> None:
    configure(tmp_path, {"project": "p"}, {"google_nothing": {"a": {}}})
    assert "google_nothing" in terraform(running, tmp_path, "validate", code=1)


def test_parallel_commands_keep_their_own_provider_blocks(running: RunningProvider, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
        provider = {"project": folder.name, "default_labels": {"stack": folder.name}}
        topics = {f"t{number}": {"name": f"t{number}"} for number in range(20)}
        configure(folder, provider, {"google_pubsub_topic": topics})
        terraform(running, folder, "init")
    with ThreadPoolExecutor(3) as together:
        list(together.map(lambda folder: terraform(running, folder, "apply", "-auto-approve"), folders))
    for folder in folders:
        state = json.loads((folder / "terraform.tfstate").read_text())
        made = [one["instances"][0]["attributes"] for one in state["resources"]]
        assert {(one["project"], one["effective_labels"]["stack"]) for one in made} == {(folder.name, folder.name)}


def test_aliases_of_one_configuration_keep_their_own_blocks(running: RunningProvider, tmp_path: Path) -> None:
    described = {
        "provider": {"google": [{"project": "p"}, {"alias": "other", "project": "q"}]},
        "resource": {"google_pubsub_topic": {"a": {"name": "a"}, "b": {"name": "b", "provider": "google.other"}}},
    }
    (tmp_path / "main.tf.json").write_text(json.dumps(described))
    terraform(running, tmp_path, "init")
    terraform(running, tmp_path, "apply", "-auto-approve")
    state = json.loads((tmp_path / "terraform.tfstate").read_text())
    assert {one["name"]: one["instances"][0]["attributes"]["project"] for one in state["resources"]} == {
        "a": "p",
        "b": "q",
    }


def test_a_refused_value_is_told_as_the_provider_tells_it(running: RunningProvider, tmp_path: Path) -> None:
    configure(tmp_path, {"project": "p"}, {"google_compute_network": {"a": {"name": "n", "routing_mode": "NOPE"}}})
    terraform(running, tmp_path, "init")
    said = " ".join(terraform(running, tmp_path, "validate", code=1).split())
    assert 'expected routing_mode to be one of ["REGIONAL" "GLOBAL" ""], got NOPE' in said
