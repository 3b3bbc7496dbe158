"""Terraform's own `gcs` backend on the sandbox's Cloud Storage, under the identities of the CI."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ci.apply.apply import Applier
from ci.apply.drift import drift_of
from ci.lifecycle.deploy import Deployer, Stack
from ci.preview.build.plans import plan_environment
from ci.preview.fingerprint import record
from ci.preview.review import Review
from fonderie.core.errors import StepFailedError
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.runner import Options, StandIn, stand_in

pytestmark = pytest.mark.e2e
PROJECT, BUCKET = "acme-ml-dev", "acme-ml-dev-state"
STATE, LOCK = "dev-data/default.tfstate", "dev-data/default.tflock"
READS = ["storage.objects.get", "storage.objects.list"]
WRITES = [*READS, "storage.objects.create", "storage.objects.delete"]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[StandIn]:
    """A state bucket from which plan reads and to which apply writes."""
    file = tmp_path / "google.sqlite"
    with stand_in(Options(cloud=file, remote_state=True)) as running:
        with Cloud(file) as cloud:
            service = f"projects/{PROJECT}/services/storage.googleapis.com"
            cloud.put("google_project_service", service, PROJECT, {"service": "storage.googleapis.com"})
            attributes = {"name": BUCKET, "project": PROJECT, "versioning": [{"enabled": True}]}
            cloud.put("google_storage_bucket", f"b/{BUCKET}", "", attributes)
            (tmp_path / "google.buckets" / BUCKET).mkdir(parents=True)
            bindings = []
            for alias, permissions in (("plan", READS), ("apply", WRITES)):
                role = f"projects/{PROJECT}/roles/{alias}"
                cloud.put("google_project_iam_custom_role", role, PROJECT, {"permissions": permissions})
                member = f"serviceAccount:dev-{alias}@{PROJECT}.iam.gserviceaccount.com"
                bindings.append({"role": role, "condition": None, "members": [member]})
            cloud.set_policy(f"b/{BUCKET}", {"bindings": bindings}, version=0)
        yield running


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """A configuration that needs no provider."""
    folder = tmp_path / "stack"
    folder.mkdir()
    backend = {"gcs": {"bucket": BUCKET, "prefix": "dev-data"}}
    output = {"greeting": {"value": "hello"}}
    (folder / "main.tf.json").write_text(json.dumps({"terraform": {"backend": backend}, "output": output}))
    return folder


def terraform(stack: Path, environment: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["terraform", f"-chdir={stack}", *words, "-no-color"],
        env={**environment, "TF_INPUT": "0"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_plan_reads_and_apply_locks_writes_and_keeps_versions(up: StandIn, stack: Path, tmp_path: Path) -> None:
    apply, plan, folder = up.as_("apply"), up.as_("plan"), tmp_path / "google.buckets" / BUCKET
    for words in (["init"], ["apply", "-auto-approve"]):
        done = terraform(stack, apply, *words)
        assert done.returncode == 0, done.stderr
    assert json.loads((folder / STATE).read_text())["outputs"]["greeting"]["value"] == "hello"
    assert not (folder / LOCK).exists()

    (stack / "main.tf.json").write_text((stack / "main.tf.json").read_text().replace("hello", "bye"))
    planned = terraform(stack, plan, "plan", "-lock=false")
    assert planned.returncode == 0, planned.stderr
    assert '~ greeting = "hello" -> "bye"' in planned.stdout
    locking = terraform(stack, {**plan, "TF_CLI_ARGS_plan": ""}, "plan")
    assert locking.returncode == 1
    assert "Error acquiring the state lock" in locking.stderr
    assert "storage.objects.create" in locking.stderr
    assert "acme-ml-dev" in locking.stderr
    refused = terraform(stack, plan, "apply", "-auto-approve", "-lock=false")
    assert (refused.returncode, "storage.objects.create" in refused.stderr) == (1, True), refused.stderr

    assert terraform(stack, apply, "apply", "-auto-approve").returncode == 0
    versions = list((tmp_path / "google.buckets" / ".versions" / BUCKET).iterdir())
    assert any(b'"hello"' in file.read_bytes() for file in versions)


def test_a_lock_that_another_run_holds_is_told_with_its_holder(up: StandIn, stack: Path, tmp_path: Path) -> None:
    apply = up.as_("apply")
    assert terraform(stack, apply, "init").returncode == 0
    lock = {
        "ID": "1795",
        "Operation": "OperationTypeApply",
        "Who": "ci@build-7",
        "Version": "1",
        "Created": "2026-11-28T10:00:00Z",
    }
    file = tmp_path / "google.buckets" / BUCKET / LOCK
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(lock))
    done = terraform(stack, apply, "apply", "-auto-approve")
    assert done.returncode == 1
    assert "Error acquiring the state lock" in done.stderr
    assert "conditionNotMet" in done.stderr
    assert "ci@build-7" in done.stderr
    generation = next(line.split()[-1] for line in done.stderr.splitlines() if "ID:" in line)
    unlocked = terraform(stack, apply, "force-unlock", "-force", generation)
    assert unlocked.returncode == 0, unlocked.stderr
    assert terraform(stack, apply, "apply", "-auto-approve").returncode == 0


def test_a_bucket_that_is_not_there_is_said(up: StandIn, stack: Path) -> None:
    (stack / "main.tf.json").write_text((stack / "main.tf.json").read_text().replace(BUCKET, "acme-absent"))
    done = terraform(stack, up.as_("apply"), "init")
    assert done.returncode == 1
    assert "bucket doesn't exist" in done.stderr


@dataclass
class Remote:
    """Stacks without a provider whose states are in the bucket, and who works on them."""

    plan: dict[str, str]
    apply: dict[str, str]
    root: Path

    def stack(self, name: str, resources: dict[str, Any], bucket: str = BUCKET) -> Stack:
        folder = self.root / "out" / name
        folder.mkdir(parents=True, exist_ok=True)
        backend = {"gcs": {"bucket": bucket, "prefix": name}}
        body = {"terraform": {"backend": backend}, "resource": {"terraform_data": resources}}
        (folder / "cdk.tf.json").write_text(json.dumps(body))
        return Stack(name, folder)

    def afresh(self) -> None:
        """As another machine: nothing of the stacks' folders but their configuration."""
        for kept in self.root.rglob(".terraform*"):
            shutil.rmtree(kept) if kept.is_dir() else kept.unlink()

    @property
    def kept(self) -> Path:
        """The bucket's folder."""
        return self.root / "google.buckets" / BUCKET


@pytest.fixture
def remote(up: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "home"))
    for name in ("FONDERIE_GOOGLE_ENDPOINT", "GOOGLE_OAUTH_ACCESS_TOKEN"):
        monkeypatch.setenv(name, up.as_("apply")[name])  # as whom the journal is written
    return Remote(up.as_("plan"), up.as_("apply"), tmp_path)


def test_who_plans_previews_and_looks_for_drift_without_a_lock(remote: Remote) -> None:
    stacks = [remote.stack("dev-data", {"bucket": {"input": "one"}}), remote.stack("dev-runtime", {"cluster": {}})]
    Deployer(remote.apply).deploy(stacks)
    remote.stack("dev-data", {"bucket": {"input": "two"}})
    remote.afresh()

    plans = plan_environment("dev", stacks, remote.plan, reads_only=True)
    drift = drift_of("dev", stacks, remote.plan)

    assert plans.failed == ()
    assert [sum(change.changes for change in plan.changes) for plan in plans.plans] == [1, 0]
    assert [(each.failure, each.changes) for each in drift] == [("", ()), ("", ())]


def test_with_a_lock_the_same_plan_is_refused(remote: Remote) -> None:
    """The control: what stands in the way is the lock."""
    stacks = [remote.stack("dev-data", {"bucket": {"input": "one"}})]
    Deployer(remote.apply).deploy(stacks)

    plans = plan_environment("dev", stacks, {**remote.plan, "TF_CLI_ARGS_plan": ""})

    assert "storage.objects.create" in plans.failed[0].message


def test_a_stack_without_a_state_is_planned_and_nothing_is_written(remote: Remote) -> None:
    """Terraform writes an empty state at `init`; who plans cannot, and the hash is the one that the apply finds."""
    stacks = [remote.stack("dev-data", {"bucket": {"input": "one"}})]

    plans = plan_environment("dev", stacks, remote.plan, reads_only=True)
    drift = drift_of("dev", stacks, remote.plan)

    assert plans.failed == ()
    assert [sum(change.changes for change in plan.changes) for plan in plans.plans] == [1]
    assert [(each.failure, each.changes) for each in drift] == [("", ())]
    assert not any(file.is_file() for file in remote.kept.rglob("*"))

    remote.afresh()
    review = Review.of(record("dev", plans.plans), 7)
    applied = Applier("dev", remote.apply, lambda _: stacks).apply(review)
    assert sum(applied.counts().values()) == 1
    assert [each["name"] for each in json.loads((remote.kept / STATE).read_text())["resources"]] == ["bucket"]


def test_an_apply_that_failed_goes_on_on_another_machine(
    remote: Remote, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A runner's disk is gone with the runner: the reviewed plan is kept beside the states."""
    gate = tmp_path / "gate"
    broken = {"provisioner": [{"local-exec": {"command": f"test -f {gate}"}}], "depends_on": ["terraform_data.first"]}
    stacks = [remote.stack("dev-data", {"first": {"input": "one"}, "second": broken})]
    review = Review.of(record("dev", plan_environment("dev", stacks, remote.plan, reads_only=True).plans), 7)
    remote.afresh()
    with pytest.raises(StepFailedError, match="local-exec"):
        Applier("dev", remote.apply, lambda _: stacks).apply(review)

    gate.touch()
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path / "another-machine"))
    remote.afresh()
    Applier("dev", remote.apply, lambda _: stacks).apply(review)

    assert {each["name"] for each in json.loads((remote.kept / STATE).read_text())["resources"]} == {"first", "second"}
    done = json.loads((remote.kept / "fonderie-applies" / "done" / "dev.json").read_text())
    assert done["reviewed"]["hash"] == review.hash
    assert "one" not in (remote.kept / "fonderie-applies" / "begun" / "dev.json").read_text()


def test_an_apply_locks(remote: Remote) -> None:
    stacks = [remote.stack("dev-data", {"bucket": {"input": "one"}})]
    applier = Applier("dev", remote.apply, lambda _: stacks)
    review = Review(environment="dev", hash=applier.preview()[1].hash)
    lock = remote.kept / LOCK
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text(json.dumps({"ID": "7", "Operation": "OperationTypeApply", "Who": "somebody"}))

    with pytest.raises(StepFailedError, match="Error acquiring the state lock"):
        applier.apply(review)


def test_a_bucket_that_may_not_be_read_is_said(remote: Remote) -> None:
    """Only the write of an empty state is forgiven."""
    stack = remote.stack("dev-data", {"bucket": {"input": "one"}}, bucket="acme-none")

    plans = plan_environment("dev", [stack], remote.plan, reads_only=True)

    assert "doesn't exist" in plans.failed[0].message
