"""What people do with Terraform, on a fresh project of the sandbox: with the real Terraform."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ci.lifecycle.deploy import Deployer, stacks_in
from fonderie.core.errors import StepFailedError
from fonderie.sandbox.cloud import out_of_band
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.cloud.out_of_band import edit
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.runner import Options, StandIn, stand_in
from tests.e2e.stacks import PROVIDER, apis, write_stacks

pytestmark = pytest.mark.e2e
SCHEMA = Path("tests/data/google/schema@7.45.0.json.gz").absolute()
APIS = ("pubsub", "storage", "iam", "cloudresourcemanager", "compute", "secretmanager")


class Folder:
    """A configuration of one project, and Terraform in it."""

    def __init__(self, path: Path, up: StandIn, cloud: Path) -> None:
        self.path, self.up, self.cloud = path, up, cloud
        self.resources: dict[str, Any] = {}

    def write(self, resource: dict[str, Any], **more: Any) -> None:
        self.resources = resource
        config = {"provider": PROVIDER, "resource": resource, **more}
        (self.path / "main.tf.json").write_text(json.dumps(config))
        if not (self.path / ".terraform").exists():
            self.run("init")

    def run(self, *arguments: str, code: int = 0) -> str:
        command = ["terraform", *arguments, "-no-color"]
        done = subprocess.run(
            command, cwd=self.path, env=self.up.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def apply(self, *arguments: str, code: int = 0) -> str:
        return self.run("apply", "-auto-approve", *arguments, code=code)

    def actions(self, *arguments: str) -> dict[str, str]:
        """Address -> action of everything that a plan would change."""
        self.run("plan", "-out=plan", *arguments)
        planned = json.loads(self.run("show", "-json", "plan"))
        changes = {one["address"]: "-".join(one["change"]["actions"]) for one in planned.get("resource_changes", [])}
        return {address: action for address, action in changes.items() if action not in ("no-op", "read")}

    def edit(self, name: str, *changes: str) -> None:
        with Cloud(self.cloud) as cloud:
            edit(cloud, out_of_band.find_object(cloud, name), changes, ProviderSchema.load(SCHEMA))

    def delete(self, name: str) -> None:
        with Cloud(self.cloud) as cloud:
            out_of_band.delete(cloud, out_of_band.find_object(cloud, name))


@pytest.fixture(scope="module")
def cloud_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cloud") / "google.sqlite"


@pytest.fixture(scope="module")
def up(cloud_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with stand_in(Options(cloud_file, SCHEMA, quotas=("SERVICE_ACCOUNTS=500",))) as running:
        enabled = stacks_in(
            write_stacks(tmp_path_factory.mktemp("apis"), {"apis": ([], {"google_project_service": apis(*APIS)})})
        )
        Deployer(running.environment).deploy(enabled)
        yield running


@pytest.fixture
def folder(tmp_path: Path, up: StandIn, cloud_file: Path) -> Folder:
    return Folder(tmp_path, up, cloud_file)


def topic(name: str, **more: Any) -> dict[str, Any]:
    return {"google_pubsub_topic": {"t": {"name": name, **more}}}


ACCOUNTS = {f"a{n}": {"account_id": f"account-{n}"} for n in range(20)}


@pytest.mark.parametrize("parallelism", [1, 100])
def test_a_missing_depends_on_is_refused_every_time(tmp_path: Path, parallelism: int) -> None:
    with stand_in(Options(tmp_path / "new.sqlite")) as up:
        folder = Folder(tmp_path, up, tmp_path / "new.sqlite")
        services = {"google_project_service": apis(*APIS)}
        folder.write({**services, "google_service_account": ACCOUNTS})
        refused = folder.apply(f"-parallelism={parallelism}", code=1)
        for name in ACCOUNTS:
            assert (
                f"google_service_account.{name} needs the API iam.googleapis.com and does not wait for "
                'google_project_service.iam: depends_on = ["google_project_service.iam"]\n'
            ) in refused
        with Cloud(folder.cloud) as cloud:
            assert cloud.things() == []
        waiting = {name: {**one, "depends_on": ["google_project_service.iam"]} for name, one in ACCOUNTS.items()}
        folder.write({**services, "google_service_account": waiting})
        folder.apply(f"-parallelism={parallelism}")
        folder.run("plan", "-detailed-exitcode")


def test_only_what_an_apply_makes_has_to_wait(tmp_path: Path) -> None:
    with stand_in(Options(tmp_path / "new.sqlite")) as up:
        folder = Folder(tmp_path, up, tmp_path / "new.sqlite")
        folder.write({"google_project_service": apis("pubsub"), **topic("early")})
        assert "Missing dependency" in folder.apply(code=1)
        folder.run("plan", "-out=first")
        assert "Missing dependency" in folder.run("apply", "first", code=1)
        folder.apply("-target=google_project_service.pubsub")
        folder.apply()
        folder.run("plan", "-detailed-exitcode")
        folder.apply("-replace=google_pubsub_topic.t")
        folder.apply("-destroy")


def test_a_deployment_of_ours_names_what_is_missing(tmp_path: Path) -> None:
    stacks = {"s": ([], {"google_project_service": apis("pubsub"), **topic("early")})}
    with (
        stand_in(Options(tmp_path / "new.sqlite")) as up,
        pytest.raises(StepFailedError, match=r"google_pubsub_topic\.t needs the API pubsub.googleapis.com"),
    ):
        Deployer(up.environment).deploy(stacks_in(write_stacks(tmp_path, stacks)))


def test_an_established_project_waits_for_nothing(tmp_path: Path) -> None:
    with stand_in(Options(tmp_path / "old.sqlite", established=True)) as up:
        folder = Folder(tmp_path, up, tmp_path / "old.sqlite")
        folder.write({"google_project_service": apis("pubsub"), **topic("early")})
        folder.apply()


def test_twenty_members_on_one_project_are_all_there(folder: Folder) -> None:
    accounts = {f"a{n}": {"account_id": f"member-{n}"} for n in range(20)}
    members = {
        f"a{n}": {"project": "demo-proj", "role": "roles/viewer", "member": f"${{google_service_account.a{n}.member}}"}
        for n in range(20)
    }
    folder.write({"google_service_account": accounts, "google_project_iam_member": members})
    folder.apply()
    with Cloud(folder.cloud) as cloud:
        (binding,) = cloud.policy("projects/demo-proj")[1]["bindings"]
    assert len(binding["members"]) == 20
    folder.run("plan", "-detailed-exitcode")
    folder.run("destroy", "-auto-approve")
    with Cloud(folder.cloud) as cloud:
        assert cloud.policy("projects/demo-proj")[1]["bindings"] == []


def test_stacks_side_by_side_lose_no_member_of_a_shared_policy(up: StandIn, cloud_file: Path, tmp_path: Path) -> None:
    def stack(number: int) -> Any:
        accounts = {f"a{n}": {"account_id": f"stack-{number}-{n}"} for n in range(8)}
        grant = {"project": "demo-proj", "role": "roles/browser"}
        members = {name: {**grant, "member": f"${{google_service_account.{name}.member}}"} for name in accounts}
        return ([], {"google_service_account": accounts, "google_project_iam_member": members})

    stacks = stacks_in(write_stacks(tmp_path, {f"s{number}": stack(number) for number in range(3)}))
    Deployer(up.environment).deploy(stacks)
    with Cloud(cloud_file) as cloud:
        bindings = cloud.policy("projects/demo-proj")[1]["bindings"]
    assert sum(len(one["members"]) for one in bindings if one["role"] == "roles/browser") == 24
    assert not any(one.changes for one in Deployer(up.environment).plan_all(stacks))
    Deployer(up.environment).destroy(stacks)


def test_a_member_taken_away_outside_is_given_back(folder: Folder) -> None:
    member = {"project": "demo-proj", "role": "roles/owner", "member": "user:somebody@example.com"}
    folder.write({"google_project_iam_member": {"m": member}})
    folder.apply()
    with Cloud(folder.cloud) as cloud:
        assert out_of_band.delete_membership(cloud, "google_project_iam_member.m", states=folder.path) is not None
        assert out_of_band.delete_membership(cloud, "google_pubsub_topic.t", states=folder.path) is None
    assert folder.actions() == {"google_project_iam_member.m": "create"}
    folder.apply()
    folder.run("destroy", "-auto-approve")


def test_a_deleted_account_turns_its_memberships_and_comes_back_as_another(folder: Folder) -> None:
    member = {"project": "demo-proj", "role": "roles/viewer", "member": "${google_service_account.a.member}"}
    folder.write(
        {"google_service_account": {"a": {"account_id": "gone-soon"}}, "google_project_iam_member": {"m": member}}
    )
    folder.apply()
    email = "gone-soon@demo-proj.iam.gserviceaccount.com"
    with Cloud(folder.cloud) as cloud:
        first = out_of_band.find_object(cloud, f"projects/demo-proj/serviceAccounts/{email}").attributes["unique_id"]
    folder.apply("-replace=google_service_account.a")
    with Cloud(folder.cloud) as cloud:
        second = out_of_band.find_object(cloud, f"projects/demo-proj/serviceAccounts/{email}").attributes["unique_id"]
        members = [one for binding in cloud.policy("projects/demo-proj")[1]["bindings"] for one in binding["members"]]
    assert first != second
    assert f"deleted:serviceAccount:{email}?uid={first}" in members or f"serviceAccount:{email}" in members
    folder.apply()
    folder.run("plan", "-detailed-exitcode")
    folder.run("destroy", "-auto-approve")


def test_drift_is_seen_mended_and_ignored_where_asked(folder: Folder) -> None:
    folder.write(topic("drifting", labels={"env": "dev"}, message_retention_duration="86400s"))
    folder.apply()
    folder.edit("topics/drifting", "labels.env=prod", "labels.foreign=x")
    assert folder.actions() == {"google_pubsub_topic.t": "update"}
    assert folder.actions("-refresh=false") == {}
    folder.apply()
    folder.run("plan", "-detailed-exitcode")
    folder.write(topic("drifting", labels={"env": "dev"}, message_retention_duration="86400s",
                       lifecycle={"ignore_changes": ["message_retention_duration"]}))  # fmt: skip
    folder.edit("topics/drifting", "messageRetentionDuration=3600s")
    folder.run("plan", "-detailed-exitcode")
    folder.delete("topics/drifting")
    assert folder.actions() == {"google_pubsub_topic.t": "create"}
    folder.apply()
    folder.run("destroy", "-auto-approve")


def test_import_moved_replace_target_and_prevent_destroy(folder: Folder) -> None:
    folder.write(topic("first"))
    folder.apply()
    folder.run("state", "rm", "google_pubsub_topic.t")
    folder.run("import", "google_pubsub_topic.t", "projects/demo-proj/topics/first")
    folder.apply()
    folder.run("plan", "-detailed-exitcode")
    moved = {"from": "google_pubsub_topic.t", "to": "google_pubsub_topic.u"}
    folder.write({"google_pubsub_topic": {"u": {"name": "first"}}}, moved=[moved])
    assert folder.actions() == {}
    folder.apply()
    assert folder.actions("-replace=google_pubsub_topic.u") == {"google_pubsub_topic.u": "delete-create"}
    folder.write({"google_pubsub_topic": {"u": {"name": "renamed"}, "v": {"name": "other"}}})
    assert folder.actions("-target=google_pubsub_topic.v") == {"google_pubsub_topic.v": "create"}
    assert folder.actions()["google_pubsub_topic.u"] == "delete-create"
    folder.write({"google_pubsub_topic": {"u": {"name": "renamed", "lifecycle": {"prevent_destroy": True}}}})
    assert "Instance cannot be destroyed" in folder.run("plan", code=1)
    folder.write({"google_pubsub_topic": {"u": {"name": "first"}}})
    folder.run("destroy", "-auto-approve")


def test_deletion_policy_taken_away_plans_an_update_back(folder: Folder) -> None:
    folder.write(topic("kept", deletion_policy="PREVENT"))
    folder.apply()
    assert "PREVENT" in folder.run("destroy", "-auto-approve", code=1)
    folder.write(topic("kept"))
    assert folder.actions() == {"google_pubsub_topic.t": "update"}
    folder.apply()
    folder.run("destroy", "-auto-approve")


def test_children_by_name_vanish_with_their_parent_and_come_back_in_the_second_plan(folder: Folder) -> None:
    secret = {"secret_id": "parent", "replication": {"auto": {}}}
    version = {
        "secret": "projects/demo-proj/secrets/parent",
        "secret_data": "x",
        "depends_on": ["google_secret_manager_secret.s"],
    }
    folder.write(
        {"google_secret_manager_secret": {"s": secret}, "google_secret_manager_secret_version": {"v": version}}
    )
    folder.apply()
    replaced = folder.actions("-replace=google_secret_manager_secret.s")
    assert replaced == {"google_secret_manager_secret.s": "delete-create"}
    folder.apply("-replace=google_secret_manager_secret.s")
    assert folder.actions() == {"google_secret_manager_secret_version.v": "create"}
    folder.apply()
    folder.run("destroy", "-auto-approve")


def test_data_sources_read_what_was_made(folder: Folder) -> None:
    data = {
        "google_project": {"p": {}},
        "google_client_config": {"me": {}},
        "google_storage_project_service_account": {"agent": {}},
        "google_service_account": {"a": {"account_id": "${google_service_account.a.account_id}"}},
        "google_compute_zones": {"z": {"region": "europe-west1"}},
    }
    output = {
        "number": {"value": "${data.google_project.p.number}"},
        "agent": {"value": "${data.google_storage_project_service_account.agent.member}"},
        "email": {"value": "${data.google_service_account.a.email}"},
        "zones": {"value": "${data.google_compute_zones.z.names}"},
        "project": {"value": "${data.google_client_config.me.project}"},
    }
    folder.write({"google_service_account": {"a": {"account_id": "looked-up"}}}, data=data, output=output)
    folder.apply()
    read = {name: one["value"] for name, one in json.loads(folder.run("output", "-json")).items()}
    assert read["agent"] == f"serviceAccount:service-{read['number']}@gs-project-accounts.iam.gserviceaccount.com"
    assert (read["email"], read["project"]) == ("looked-up@demo-proj.iam.gserviceaccount.com", "demo-proj")
    assert read["zones"] == ["europe-west1-a", "europe-west1-b", "europe-west1-c"]
    folder.run("plan", "-detailed-exitcode")
    folder.run("destroy", "-auto-approve")


def test_a_bucket_is_a_folder_into_which_others_write(folder: Folder) -> None:
    buckets = {"b": {"name": "demo-shared", "location": "EU", "force_destroy": False}}
    objects = {"o": {"bucket": "${google_storage_bucket.b.name}", "name": "cfg/a.json", "content": "{}"}}
    folder.write({"google_storage_bucket": buckets, "google_storage_bucket_object": objects})
    folder.apply()
    place = folder.cloud.with_suffix(".buckets") / "demo-shared"
    assert (place / "cfg" / "a.json").read_text() == "{}"
    (place / "cfg" / "a.json").write_text('{"changed": true}')
    assert list(folder.actions()) == ["google_storage_bucket_object.o"]
    folder.apply()
    assert (place / "cfg" / "a.json").read_text() == "{}"
    (place / "model.json").write_text("{}")
    assert "containing objects without `force_destroy`" in folder.run("destroy", "-auto-approve", code=1)
    (place / "model.json").unlink()
    folder.apply()
    folder.run("destroy", "-auto-approve")
