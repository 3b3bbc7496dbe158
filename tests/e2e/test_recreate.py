import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ci.lifecycle.deploy import Deployer, Stack, stacks_in
from ci.lifecycle.recreate.journal import RecreateJournal
from ci.lifecycle.recreate.operator_actions import SandboxOperator
from ci.lifecycle.recreate.run import Recreate, confirm
from fonderie.core.errors import BadInputError, RefusedError, StepFailedError
from fonderie.sandbox.cloud import out_of_band
from fonderie.sandbox.cloud.buckets import Buckets
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.cloud.out_of_band import edit
from fonderie.sandbox.process import default_schema
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.runner import Options, StandIn, stand_in
from tests.e2e.stacks import apis, write_stacks

pytestmark = pytest.mark.e2e
SCHEMA = ProviderSchema.load(default_schema())
RING = "projects/demo-proj/locations/us-central1/keyRings/r"
PLACE = {"location": "us-central1"}
SERVICES = ("storage", "bigquery", "cloudkms", "iam", "secretmanager", "aiplatform")
STACKS: dict[str, Any] = {
    "t-bootstrap": ([], {"google_project_service": apis(*SERVICES)}),
    "t-foundation": (
        ["t-bootstrap"],
        {
            "google_kms_key_ring": {"r": {"name": "r", **PLACE}},
            "google_kms_crypto_key": {"k": {"name": "k", "key_ring": "${google_kms_key_ring.r.id}"}},
            "google_iam_workload_identity_pool": {"p": {"workload_identity_pool_id": "github"}},
        },
    ),
    "t-data": (
        ["t-foundation"],
        {
            "google_storage_bucket": {"b": {"name": "demo-models", "location": "EU", "deletion_policy": "PREVENT"}},
            "google_bigquery_dataset": {"d": {"dataset_id": "ml", "location": "US", "deletion_policy": "PREVENT"}},
            "google_bigquery_table": {
                "t": {
                    "dataset_id": "${google_bigquery_dataset.d.dataset_id}",
                    "table_id": "t",
                    "deletion_protection": True,
                }
            },
            "google_secret_manager_secret": {"s": {"secret_id": "token", "replication": {"auto": {}}}},
        },
    ),
    "t-runtime": (
        ["t-data"],
        {"google_vertex_ai_endpoint": {"e": {"name": "1234", "display_name": "e", **PLACE, "region": "us-central1"}}},
    ),
}


@pytest.fixture(scope="module")
def cloud_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cloud") / "google.sqlite"


@pytest.fixture(scope="module")
def up(cloud_file: Path) -> Iterator[StandIn]:
    with stand_in(Options(cloud_file)) as running:
        yield running


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory, up: StandIn) -> list[Stack]:
    found = stacks_in(write_stacks(tmp_path_factory.mktemp("out"), STACKS))
    Deployer(up.environment).deploy(found)
    return found


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))


def recreate(up: StandIn, stacks: list[Stack], cloud_file: Path, work: Path, said: list[str] | None = None) -> Recreate:
    told = said if said is not None else []
    operator = SandboxOperator(cloud_file)
    deployer = Deployer(up.environment, wait=lambda _: None)
    return Recreate("t", "demo-proj", stacks, deployer, operator, work, told.append, wait=lambda _: None)


def test_a_protected_environment_is_lost_and_made_again(
    up: StandIn, stacks: list[Stack], cloud_file: Path, tmp_path: Path
) -> None:
    Buckets(cloud_file).write("demo-models", "champion/model.json", b"{}")
    secret, endpoint = "projects/demo-proj/secrets/token", "projects/demo-proj/locations/us-central1/endpoints/1234"
    with Cloud(cloud_file) as cloud:
        out_of_band.add_secret_version(cloud, secret, "s3cret")
        found = cloud.live("google_vertex_ai_endpoint", endpoint)
        assert found is not None
        cloud.change(found.type, found.path, {**found.attributes, "deployed_models": [{"id": "7"}]})
        before = {one.path: one.serial for one in cloud.things()}
    said = list[str]()
    run = recreate(up, stacks, cloud_file, tmp_path, said)
    losing = run.will_lose()
    assert {one.address for one in losing if one.holds} == {
        "google_storage_bucket.b",
        "google_bigquery_dataset.d",
        "google_bigquery_table.t",
        "google_kms_crypto_key.k",
        "google_secret_manager_secret.s",
        "google_vertex_ai_endpoint.e",
    }
    plans = run.run(RecreateJournal.open("t"))
    assert not any(one.changes for one in plans)
    with Cloud(cloud_file) as cloud:
        after = {one.path: one.serial for one in cloud.things()}
    assert after["b/demo-models"] > before["b/demo-models"]
    assert after[RING] == before[RING]
    assert Buckets(cloud_file).objects("demo-models") == []
    assert SandboxOperator(cloud_file).secret_value(secret) == b"s3cret"
    assert any("undeployed 1 models from" in line for line in said)
    assert any("undeleted" in line for line in said)
    assert not RecreateJournal.path("t").exists()
    (finished,) = RecreateJournal.path("t").parent.glob("t-*.json")
    assert "s3cret" not in finished.read_text()


def test_what_failed_is_named_and_the_next_run_goes_on_from_there(
    up: StandIn, stacks: list[Stack], cloud_file: Path, tmp_path: Path
) -> None:
    data = next(one for one in stacks if one.name == "t-data")
    config = data.folder / "cdk.tf.json"
    whole = config.read_text()
    broken = json.loads(whole)
    broken["resource"]["google_pubsub_topic"] = {"t": {"name": "no-api-for-this"}}
    config.write_text(json.dumps(broken))
    first = recreate(up, stacks, cloud_file, tmp_path)
    first.will_lose()
    with pytest.raises(StepFailedError, match="Pub/Sub API has not been used"):
        first.run(RecreateJournal.open("t"))
    journal = RecreateJournal.open("t")
    assert journal.failed == "deploy t-data"
    assert journal.done[-1] == "deploy t-foundation"
    config.write_text(whole)
    said = list[str]()
    second = recreate(up, stacks, cloud_file, tmp_path, said)
    second.will_lose()
    second.run(journal)
    assert "destroy t-data: already done" in said
    assert not RecreateJournal.path("t").exists()


def test_what_is_never_destroyed_stops_it_before_it_begins(
    up: StandIn, stacks: list[Stack], cloud_file: Path, tmp_path: Path
) -> None:
    data = next(one for one in stacks if one.name == "t-data")
    config = data.folder / "cdk.tf.json"
    whole = config.read_text()
    kept = json.loads(whole)
    kept["resource"]["google_storage_bucket"]["b"]["lifecycle"] = {"prevent_destroy": True}
    config.write_text(json.dumps(kept))
    with pytest.raises(RefusedError, match=r"google_storage_bucket.b is never destroyed"):
        recreate(up, stacks, cloud_file, tmp_path).will_lose()
    config.write_text(whole)


def test_without_its_bootstrap_there_is_nothing_to_stand_on(up: StandIn, cloud_file: Path, tmp_path: Path) -> None:
    stacks = stacks_in(write_stacks(tmp_path / "new", STACKS))
    with pytest.raises(RefusedError, match="bootstrap stack has not been deployed"):
        recreate(up, stacks, cloud_file, tmp_path).will_lose()


def test_a_plan_that_is_not_empty_at_the_end_is_a_failure(
    up: StandIn, stacks: list[Stack], cloud_file: Path, tmp_path: Path
) -> None:
    run = recreate(up, stacks, cloud_file, tmp_path)
    run.will_lose()
    journal = RecreateJournal.open("t")
    journal.done = [f"{step} {one.name}" for step in ("unprotect", "destroy", "deploy") for one in stacks]
    with Cloud(cloud_file) as cloud:
        edit(cloud, out_of_band.find_object(cloud, "token"), ["effective_labels.team=x"], SCHEMA)
        out_of_band.delete(cloud, out_of_band.find_object(cloud, "projects/demo-proj/datasets/ml/tables/t"))
    with pytest.raises(StepFailedError, match=r"plan is not empty.*google_bigquery_table.t"):
        run.run(journal)
    assert RecreateJournal.open("t").failed == "plan"


def test_only_the_name_of_the_environment_is_a_yes(
    up: StandIn, stacks: list[Stack], cloud_file: Path, tmp_path: Path
) -> None:
    losing = recreate(up, stacks, cloud_file, tmp_path).will_lose()
    confirm(losing, "t", lambda _: "t")
    for answer in ("", "y", "yes", "T"):
        with pytest.raises(RefusedError, match="nothing was destroyed"):
            confirm(losing, "t", lambda _, answer=answer: answer)  # type: ignore[misc]


def test_a_journal_that_cannot_be_read_is_named() -> None:
    RecreateJournal.path("t").parent.mkdir(parents=True)
    RecreateJournal.path("t").write_text("{")
    with pytest.raises(BadInputError, match="not the journal"):
        RecreateJournal.open("t")
