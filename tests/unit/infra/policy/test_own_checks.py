from typing import Any

import pytest

from infra.policy.checks import CHECKS, scan
from infra.settings import Environment, load_environment
from infra.synthesised import Resource, SynthesisedStack

LABELS = {"environment": "local", "managed_by": "fonderie", "owner": "ml-platform"}


@pytest.fixture(scope="module")
def local() -> Environment:
    return load_environment("local")


@pytest.fixture(scope="module")
def strict(local: Environment) -> Environment:
    """The local environment as if it had to be kept: protected, with keys of its own."""
    return local.model_copy(update={"ephemeral": False, "protected": True, "customer_keys": True})


def broken(resource_type: str, values: dict[str, Any], env: Environment) -> dict[str, str]:
    """Check -> detail of what a stack with this one resource breaks."""
    resource = Resource(resource_type, "x", "local-data/x", values)
    made, findings = scan(SynthesisedStack("local-data", None, (resource,), LABELS), env)  # type: ignore[arg-type]
    assert made == 1 + len(CHECKS)
    return {finding.check: finding.detail for finding in findings}


KEY = "projects/fonderie-local/locations/europe-west1/keyRings/local-fonderie/cryptoKeys/data"
BUCKET = {
    "name": "b",
    "location": "europe-west1",
    "deletion_policy": "PREVENT",
    "public_access_prevention": "enforced",
    "uniform_bucket_level_access": True,
    "versioning": [{"enabled": True}],
    "encryption": [{"default_kms_key_name": KEY}],
}


def test_a_protected_encrypted_bucket_in_the_region_breaks_nothing(strict: Environment) -> None:
    assert broken("google_storage_bucket", BUCKET, strict) == {}


@pytest.mark.parametrize(
    ("resource_type", "values", "check", "said"),
    [
        ("google_storage_bucket", BUCKET | {"location": "US"}, "FND_REGION", "location = us"),
        ("google_storage_bucket", BUCKET | {"deletion_policy": "DELETE"}, "FND_PROTECTION", "deletion_policy = DELETE"),
        ("google_storage_bucket", BUCKET | {"encryption": []}, "FND_ENCRYPTION", "no key"),
        ("google_service_account_key", {"service_account_id": "a@p"}, "FND_KEY", "a@p"),
        ("google_project_iam_member", {"role": "roles/editor", "member": "user:a@b.c"}, "FND_PRIMITIVE_ROLE", "user:a"),
        (
            "google_storage_bucket_iam_member",
            {"role": "roles/storage.objectViewer", "member": "allUsers"},
            "FND_PUBLIC",
            "allUsers",
        ),
        (
            "google_project_iam_binding",
            {"role": "roles/aiplatform.user", "members": ["user:a@b.c", "allAuthenticatedUsers"]},
            "FND_PUBLIC",
            "allAuthenticatedUsers",
        ),
        (
            "google_eventarc_trigger",
            {"service_account": "123456-compute@developer.gserviceaccount.com"},
            "FND_DEFAULT_ACCOUNT",
            "service_account",
        ),
        (
            "google_project_iam_member",
            {"role": "roles/iam.serviceAccountTokenCreator", "member": "serviceAccount:x@p"},
            "FND_LEAST_PRIVILEGE",
            "serviceAccount:x@p",
        ),
        (
            "google_project_iam_custom_role",
            {
                "role_id": "x",
                "permissions": ["storage.buckets.get", "iam.serviceAccounts.signJwt"],
                "lifecycle": {"prevent_destroy": True},
            },
            "FND_LEAST_PRIVILEGE",
            "iam.serviceAccounts.signJwt",
        ),
        (
            "google_secret_manager_secret_version",
            {"secret_data": "hunter2"},
            "FND_SECRET_VALUE",
            "secret_data is set in plain text",
        ),
    ],
)
def test_each_check_finds_what_breaks_it_and_says_where(
    strict: Environment, resource_type: str, values: dict[str, Any], check: str, said: str
) -> None:
    found = broken(resource_type, values, strict)

    assert set(found) == {check}
    assert said in found[check]
    assert "hunter2" not in str(found)


def test_an_ephemeral_environment_needs_no_protection(local: Environment) -> None:
    assert "FND_PROTECTION" not in broken("google_storage_bucket", {"location": "europe-west1"}, local)


def test_the_same_role_on_one_account_is_allowed(strict: Environment) -> None:
    values = {"role": "roles/iam.serviceAccountUser", "member": "serviceAccount:x@p", "service_account_id": "y"}
    assert broken("google_service_account_iam_member", values, strict) == {}


def test_a_stack_without_labels_is_one_finding(strict: Environment) -> None:
    _, findings = scan(SynthesisedStack("local-data", None, (), {"environment": "local"}), strict)  # type: ignore[arg-type]

    assert [(finding.check, finding.detail) for finding in findings] == [
        ("FND_LABELS", "default_labels lacks managed_by, owner")
    ]
