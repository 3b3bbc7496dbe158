"""The bootstrap's state goes into the bucket it makes: the real Terraform, on an imitated Google."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.runner import Options, stand_in
from tests.e2e.storage import Storage, serving

pytestmark = pytest.mark.e2e
BUCKET, OBJECT = "acme-ml-dev-state", "dev-bootstrap/default.tfstate"


@dataclass
class Google:
    """The imitated cloud and its storage, with what a command needs to reach both."""

    environment: dict[str, str]
    storage: Storage
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
        state = json.loads(self.storage.objects[BUCKET, OBJECT][1])
        return {(each["type"], each["name"]) for each in state["resources"]}


@pytest.fixture
def google(tmp_path: Path) -> Iterator[Google]:
    cloud_file = tmp_path / "google.sqlite"

    def exists(bucket: str) -> bool:
        with Cloud(cloud_file) as cloud:
            return any(each.attributes.get("name") == bucket for each in cloud.things("google_storage_bucket"))

    with stand_in(Options(cloud=cloud_file)) as up, serving(exists) as storage:
        environment = {key: value for key, value in up.as_("person").items() if key != "FONDERIE_BACKEND"}
        environment |= {
            "CDKTF_OUTDIR": str(tmp_path / "cdktf.out"),
            "GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT": storage.url,
            "GOOGLE_OAUTH_ACCESS_TOKEN": "nobody",
        }
        yield Google(environment, storage, tmp_path / ".fonderie" / "state" / "dev-bootstrap.tfstate")


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
    assert (BUCKET, OBJECT) not in google.storage.objects

    google.bootstrap()
    assert google.kept == {(each["type"], each["name"]) for each in made}
    assert not google.local_state.exists()
