import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.sandbox.facts import Facts
from infra.sandbox.memory import MemoryLifecycle
from infra.sandbox.planner import Planner
from infra.sandbox.schema import Schema
from infra.sandbox.server import Running, serving

pytestmark = pytest.mark.e2e
SCHEMA = Path("tests/data/google/schema@7.45.0.json.gz")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    schema, facts = Schema.load(SCHEMA), Facts.load()
    with serving(schema, Planner(schema, facts), MemoryLifecycle(schema, facts)) as up:
        yield up


def terraform(running: Running, folder: Path, *arguments: str, code: int = 0) -> str:
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


def configure(folder: Path, provider: dict[str, object], resource: dict[str, object]) -> None:
    (folder / "main.tf.json").write_text(json.dumps({"provider": {"google": provider}, "resource": resource}))


def test_a_resource_is_planned_applied_unchanged_and_destroyed(running: Running, tmp_path: Path) -> None:
    configure(tmp_path, {"project": "p"}, {"google_pubsub_topic": {"a": {"name": "events"}}})
    terraform(running, tmp_path, "init")
    assert "1 to add" in terraform(running, tmp_path, "plan")
    terraform(running, tmp_path, "apply", "-auto-approve")
    terraform(running, tmp_path, "plan", "-detailed-exitcode")
    assert "1 destroyed" in terraform(running, tmp_path, "destroy", "-auto-approve")


def test_it_serves_on_after_a_command_has_ended(running: Running, tmp_path: Path) -> None:
    configure(tmp_path, {"project": "p"}, {"google_pubsub_topic": {"a": {"name": "events"}}})
    for _ in range(3):
        terraform(running, tmp_path, "validate")


def test_a_type_the_provider_has_not_is_named(running: Running, tmp_path: Path) -> None:
    configure(tmp_path, {"project": "p"}, {"google_nothing": {"a": {}}})
    assert "google_nothing" in terraform(running, tmp_path, "validate", code=1)
