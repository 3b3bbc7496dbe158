"""Planted mistakes, each with the first tier that must catch it: `make prove ONLY=catches`.

Here are the tiers that need neither Terraform nor a cloud: the settings' own rules, our policy checks and the preview's
alarms. Each mistake is planted into something that passes.
"""

import functools
import shutil

import pytest

from fonderie.core.errors import BadInputError
from infra.policy.checks import scan
from infra.settings import load_environment
from infra.settings.environment import ENVIRONMENTS
from infra.synthesised import Resource, SynthesisedStack
from tests.unit.ci.preview import test_data, test_exposure
from tests.unit.ci.preview.plans import change, preview

LABELS = {"environment": "prod", "managed_by": "fonderie", "owner": "ml-platform"}
BUCKET = {
    "name": "b", "location": "europe-west1", "deletion_policy": "PREVENT", "public_access_prevention": "enforced",
    "uniform_bucket_level_access": True, "versioning": [{"enabled": True}],
    "encryption": [{"default_kms_key_name": "projects/acme-ml-prod/locations/europe-west1/keyRings/prod-fonderie/"
                    "cryptoKeys/data"}],
}  # fmt: skip

# A line of prod.toml -> what somebody writes instead.
SETTINGS = {
    "wrong region": ('region = "europe-west1"', 'region = "europe-west99"'),
    "typo in an enum": ('release_channel = "STABLE"', 'release_channel = "STABEL"'),
    "typo in a key": ("max_nodes = 16", "max_node = 16"),
    "more nodes at least than at most": ("min_nodes = 3", "min_nodes = 30"),
    "not a machine type": ('machine_type = "n1-standard-2"', 'machine_type = "large"'),
    "a text for a number": ("max_replicas = 6", 'max_replicas = "6"'),
    "fewer replicas at most": ("max_replicas = 6", "max_replicas = 1"),
    "not a part of one": ("error_ratio = 0.01", "error_ratio = 1.5"),
    "not an address": ('"on-call@acme.example"', '"on-call"'),
    "no money": ("monthly_usd = 8000", "monthly_usd = 0"),
    "an image by tag": ("@sha256:", ":"),
    "no retention": ("raw_days = 730", "raw_days = 0"),
    "not a day": ('maintenance_days = ["SA", "SU"]', 'maintenance_days = ["Saturday"]'),
    "not an hour": ("maintenance_hour = 2", "maintenance_hour = 26"),
    "an unknown quota": ("[budget]", "[quota]\nCPU = 8\n\n[budget]"),
}
POLICY = {
    "bucket elsewhere": ("google_storage_bucket", BUCKET | {"location": "US"}),
    "bucket unprotected": ("google_storage_bucket", BUCKET | {"deletion_policy": "DELETE"}),
    "bucket without a key": ("google_storage_bucket", BUCKET | {"encryption": []}),
    "bucket of any age": ("google_storage_bucket", BUCKET | {"lifecycle_rule": [{"condition": [{"age": 0}]}]}),
    "account key": ("google_service_account_key", {"service_account_id": "a@p"}),
    "primitive role": ("google_project_iam_member", {"role": "roles/editor", "member": "user:a@b.c"}),
    "public grant": ("google_storage_bucket_iam_member", {"role": "roles/storage.objectViewer", "member": "allUsers"}),
}


@functools.cache
def prod():
    return load_environment("prod")


def caught_by_settings(mistake, folder):
    line, wrong = SETTINGS[mistake]
    for file in ENVIRONMENTS.glob("*.toml"):
        shutil.copy(file, folder)
    text = (folder / "prod.toml").read_text(encoding="utf-8")
    assert line in text, line
    (folder / "prod.toml").write_text(text.replace(line, wrong), encoding="utf-8")
    try:
        load_environment("prod", folder)
    except BadInputError:
        return True
    return False


def caught_by_policy(mistake, _folder):
    kind, values = POLICY[mistake]
    stack = SynthesisedStack("prod-data", None, (Resource(kind, "x", "prod-data/x", values),), LABELS)
    _, findings = scan(stack, prod())
    return any(finding.path == "prod-data/x" for finding in findings)


def caught_by_alarm(mistake, _folder):
    address, before, after = {**test_data.CASES, **test_exposure.OPENED}[mistake]
    return preview(change(address, "update", before, after)).red


MISTAKES = [
    *((name, "settings", caught_by_settings) for name in SETTINGS),
    *((name, "policy", caught_by_policy) for name in POLICY),
    *((name, "preview alarm", caught_by_alarm) for name in {**test_data.CASES, **test_exposure.OPENED}),
]


@pytest.mark.prove(every=8)
@pytest.mark.parametrize(("mistake", "tier", "caught"), MISTAKES, ids=[f"{one[1]}: {one[0]}" for one in MISTAKES])
def test_catches_a_planted_mistake(mistake, tier, caught, tmp_path):
    assert caught(mistake, tmp_path), f"{tier} lets it through"


def test_catches_are_more_than_sixty_and_what_is_right_passes():
    assert len(MISTAKES) >= 60
    stack = SynthesisedStack(
        "prod-data", None, (Resource("google_storage_bucket", "x", "prod-data/x", BUCKET),), LABELS
    )
    _, findings = scan(stack, prod())
    assert [finding.check for finding in findings if finding.path == "prod-data/x"] == []
    right = change("google_storage_bucket.b", "update", BUCKET, {**BUCKET, "labels": {"a": "b"}})
    assert not preview(right).red
