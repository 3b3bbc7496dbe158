"""Drift, with the real Terraform in the sandbox."""

import json

import pytest

from ci.apply.drift import drift_of
from ci.lifecycle.deploy import Deployer, Stack
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
        (stack,) = drift_of("dev", stacks, up.environment)
    edited, gone = stack.changes
    assert edited.address == "google_pubsub_topic.edited"
    assert [(item.path, item.after) for item in edited.attributes] == [("message_retention_duration", '"86400s"')]
    assert (gone.address, gone.action) == ("google_pubsub_topic.gone", Action.DESTROY)
