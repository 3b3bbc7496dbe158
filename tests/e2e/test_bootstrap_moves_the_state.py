"""The bootstrap's state goes into the bucket it makes: the real Terraform, on an imitated Google."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fonderie.sandbox.cloud.buckets import Buckets
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.runner import Options, stand_in
from infra import names
from infra.settings import load_environment

pytestmark = pytest.mark.e2e
BUCKET, OBJECT = "acme-ml-dev-state", "dev-bootstrap/default.tfstate"


@dataclass
class Google:
    """The imitated cloud, with what a command needs to reach it."""

    environment: dict[str, str]
    buckets: Buckets
    local_state: Path

    def bootstrap(self, **more: str) -> tuple[dict[str, str], str]:
        done = subprocess.run(
            [sys.executable, "-m", "fonderie.cli.main", "bootstrap", "--env", "dev", "--json"],
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout), done.stderr

    @property
    def kept(self) -> set[tuple[str, str]]:
        """What the state in the bucket holds."""
        state = json.loads(self.buckets.read(BUCKET, OBJECT) or b"")
        return {(each["type"], each["name"]) for each in state["resources"]}


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Google]:
    cloud_file = tmp_path / "google.sqlite"

    with stand_in(Options(cloud=cloud_file, remote_state=True)) as up:
        environment = {**up.as_("person"), "CDKTF_OUTDIR": str(tmp_path / "cdktf.out")}
        yield Google(environment, Buckets(cloud_file), tmp_path / ".fonderie" / "state" / "dev-bootstrap.tfstate")


def test_the_state_moves_into_its_bucket_and_the_second_run_works_from_there(google: Google) -> None:
    answer, _ = google.bootstrap()
    assert answer == {"environment": "dev", "state": "gcs"}
    assert ("google_storage_bucket", "state") in google.kept
    assert not google.local_state.exists()
    assert google.local_state.with_suffix(".moved").exists()

    before = google.kept
    answer, said = google.bootstrap()
    assert answer["state"] == "gcs"
    assert "the state is in its bucket" in said
    assert google.kept == before
    assert not google.local_state.exists()


def test_a_run_that_ended_before_the_move_goes_on_with_it(google: Google) -> None:
    google.bootstrap(FONDERIE_BACKEND="local")
    made = json.loads(google.local_state.read_text())["resources"]
    assert google.buckets.read(BUCKET, OBJECT) is None

    google.bootstrap()
    assert google.kept == {(each["type"], each["name"]) for each in made}
    assert not google.local_state.exists()


def test_agents_hold_the_roles_that_google_gives_to_agents_that_come_by_themselves(google: Google) -> None:
    env = load_environment("dev")
    wanted = {(role, names.agent(env, agent)) for agent, role in names.AGENT_ROLES.items()}
    for _ in range(2):  # a second run adds nothing
        google.bootstrap()
        with Cloud(Path(google.environment["FONDERIE_SANDBOX"])) as cloud:
            _, policy = cloud.policy(f"projects/{env.project_id}")
        held = [(one["role"], member) for one in policy["bindings"] for member in one["members"]]
        assert wanted <= set(held)
        assert len(held) == len(set(held))
