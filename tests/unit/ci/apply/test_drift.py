"""Drift, with the real Terraform in the sandbox."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ci.apply.drift import drift_of
from ci.lifecycle.deploy import Deployer, Stack
from ci.preview.render.wording import change_lines
from fonderie.core.errors import RefusedError
from fonderie.google.audit_log import callers as callers_in
from fonderie.google.audit_log import query
from fonderie.sandbox.cloud.cloud import Cloud
from fonderie.sandbox.cloud.out_of_band import delete, edit, find_object
from fonderie.sandbox.process import default_schema
from fonderie.sandbox.provider.schema import ProviderSchema
from fonderie.sandbox.runner import Options, stand_in
from fonderie.terraform.plan import Action

GOOGLE = {"source": "hashicorp/google", "version": "7.45.0"}


@pytest.mark.e2e
def test_what_was_changed_and_deleted_behind_terraforms_back_is_reported(tmp_path):
    topics = {name: {"name": f"dev-{name}", "labels": {"team": "ml"}} for name in ("edited", "gone", "kept")}
    folder = tmp_path / "out" / "dev-data"
    folder.mkdir(parents=True)
    body = {
        "terraform": {"required_providers": {"google": GOOGLE}, "backend": {"local": {"path": "here.tfstate"}}},
        "provider": {"google": [{"project": "demo-proj", "region": "europe-west1"}]},
        "resource": {"google_pubsub_topic": topics},
    }
    (folder / "cdk.tf.json").write_text(json.dumps(body))
    stacks = [Stack("dev-data", folder)]
    file = tmp_path / "cloud.sqlite"
    with stand_in(Options(cloud=file, established=True)) as up:
        Deployer(up.environment).deploy(stacks)
        assert [stack.changes for stack in drift_of("dev", stacks, up.environment)] == [()]
        with Cloud(file) as cloud:
            topic = find_object(cloud, "projects/demo-proj/topics/dev-edited")
            edit(cloud, topic, ["message_retention_duration=86400s"], ProviderSchema.load(default_schema()))
            delete(cloud, find_object(cloud, "projects/demo-proj/topics/dev-gone"))
        asked = []

        def callers(names):
            asked.extend(names)
            return {"dev-edited": "ada@acme.com, 2026-11-28 14:03 UTC"}

        def refused(names):
            raise RefusedError("no logging.logEntries.list")

        (stack,) = drift_of("dev", stacks, up.environment, callers)
        (unnamed,) = drift_of("dev", stacks, up.environment, refused)
    assert sorted(asked) == ["dev-edited", "dev-gone"]
    assert [change.by for change in stack.changes] == ["ada@acme.com, 2026-11-28 14:03 UTC", ""]
    assert [change.by for change in unnamed.changes] == ["", ""]
    edited, gone = stack.changes
    assert edited.address == "google_pubsub_topic.edited"
    assert [(item.path, item.after) for item in edited.attributes] == [("message_retention_duration", '"86400s"')]
    assert (gone.address, gone.action) == ("google_pubsub_topic.gone", Action.DESTROY)


def _as_created(values, steps, refreshed, created):
    """Write into a state what the provider leaves at create, where it holds what a refresh makes of it."""
    name = steps[0].removesuffix("[]")
    if len(steps) > 1:
        for block in values.get(name) or []:
            _as_created(block, steps[1:], refreshed, created)
    elif name in values and values[name] == refreshed:
        values[name] = created


@pytest.mark.e2e
def test_a_state_as_the_provider_leaves_it_at_create_has_no_drift_and_a_lifted_lock_is_its_first_line(tmp_path):
    recorded = json.loads((Path(__file__).parents[3] / "data" / "google" / "normalised.json").read_text())
    del recorded["_filled_by_other_resources"]
    rules = [{"condition": {"num_newer_versions": 3}, "action": {"type": "Delete"}},
             {"condition": {"age": 30}, "action": {"type": "Delete"}}]  # fmt: skip
    folder = tmp_path / "out" / "dev-data"
    folder.mkdir(parents=True)
    body = {
        "terraform": {"required_providers": {"google": GOOGLE}, "backend": {"local": {"path": "here.tfstate"}}},
        "provider": {"google": [{"project": "demo-proj", "region": "europe-west1"}]},
        "resource": {
            "google_pubsub_topic": {"a": {"name": "dev-a"}},
            "google_storage_bucket": {
                "raw": {"name": "acme-raw", "location": "EUROPE-WEST1", "lifecycle_rule": rules,
                        "public_access_prevention": "enforced"}
            },
            "google_logging_metric": {"m": {"name": "m", "filter": "severity>=ERROR"}},
        },
    }  # fmt: skip
    (folder / "cdk.tf.json").write_text(json.dumps(body))
    stacks, file, state = [Stack("dev-data", folder)], tmp_path / "cloud.sqlite", folder / "here.tfstate"
    with stand_in(Options(cloud=file, established=True)) as up:
        Deployer(up.environment).deploy(stacks)
        kept, nulls = json.loads(state.read_text()), 0
        for resource in kept["resources"]:
            for path, (created, refreshed) in recorded.get(resource["type"], {}).items():
                _as_created(resource["instances"][0]["attributes"], path.split("."), refreshed, created)
                nulls += created is None
        assert nulls > 10
        state.write_text(json.dumps(kept))
        assert [stack.changes for stack in drift_of("dev", stacks, up.environment)] == [()]
        with Cloud(file) as cloud:
            bucket = find_object(cloud, "acme-raw")
            edit(cloud, bucket, ["public_access_prevention=inherited"], ProviderSchema.load(default_schema()))
        ((change,),) = (stack.changes for stack in drift_of("dev", stacks, up.environment))
    assert change.attributes[0].path == "public_access_prevention"
    assert change_lines(change)[0] == "! google_storage_bucket.raw  changed (may become PUBLIC)"


def entry(resource, who, when="2026-11-28T14:03:22.123Z"):
    """As `gcloud logging read` prints an entry of the admin activity log (Cloud Audit Logs, "Sample entry")."""
    payload = {"@type": "type.googleapis.com/google.cloud.audit.AuditLog", "resourceName": resource,
               "authenticationInfo": {"principalEmail": who}, "methodName": "storage.setIamPermissions"}  # fmt: skip
    return {"timestamp": when, "protoPayload": payload}


def test_who_changed_a_resource_last_is_the_newest_entry_that_names_it_whole():
    bucket = "projects/_/buckets/acme-raw"
    entries = [entry(bucket, "ada@acme.com"), entry(bucket, "old@acme.com"), entry(f"{bucket}-2", "eve@acme.com")]
    entries += [{"protoPayload": {}}, {}]
    assert callers_in(entries, ["acme-raw", "acme-ra"]) == {"acme-raw": "ada@acme.com, 2026-11-28 14:03 UTC"}


def test_the_log_is_asked_for_the_last_days_of_the_named_resources():
    body = query("acme-dev", ["acme-raw", "other"], datetime(2026, 11, 29, tzinfo=UTC))
    assert body["resourceNames"] == ["projects/acme-dev"]
    assert body["filter"].endswith('protoPayload.resourceName:("acme-raw" OR "other")')
    assert 'timestamp>="2026-10-30T00:00:00+00:00"' in body["filter"]
    assert body["orderBy"] == "timestamp desc"
