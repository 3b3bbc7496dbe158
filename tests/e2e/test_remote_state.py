"""Terraform's own `gcs` backend on the sandbox's Cloud Storage, under the identities of the CI."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

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
