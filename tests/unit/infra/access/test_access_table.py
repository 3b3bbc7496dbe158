from pathlib import Path
from typing import Any

import pytest

from infra.access.access_table import Level, display_identity, grants
from infra.access.map import page
from infra.synthesised import Resource, SynthesisedStack

PIPELINES = "serviceAccount:prod-pipelines@acme.iam.gserviceaccount.com"
SERVING = "serviceAccount:prod-serving@acme.iam.gserviceaccount.com"
ACCESS = [
    {"role": "READER", "user_by_email": SERVING.removeprefix("serviceAccount:")},
    {"role": "WRITER", "group_by_email": "ml@acme.com"},
    {"role": "OWNER", "special_group": "projectOwners"},
]
UNTIL = {"expression": "request.time < x", "title": "t"}


def resource(kind: str, name: str, values: dict[str, Any]) -> Resource:
    return Resource(kind, name, f"prod-data/{name}", values)


@pytest.fixture
def stack() -> SynthesisedStack:
    resources = (
        resource("google_storage_bucket", "models", {"name": "acme-prod-models"}),
        resource("google_bigquery_dataset", "features", {"dataset_id": "prod_features", "access": ACCESS}),
        resource(
            "google_storage_bucket_iam_member",
            "models_w",
            {"bucket": "${google_storage_bucket.models.name}", "role": "roles/storage.objectUser", "member": PIPELINES},
        ),
        resource(
            "google_project_iam_member",
            "audit",
            {"project": "acme", "role": "roles/logging.admin", "member": "group:a<b>@acme.com", "condition": UNTIL},
        ),
    )
    return SynthesisedStack("prod-data", Path(), resources, {})


def test_every_grant_names_who_may_do_what_on_what(stack: SynthesisedStack) -> None:
    found = [(display_identity(one.identity), one.role, one.target_type, one.target) for one in grants([stack])]

    assert sorted(found) == [
        ("a<b>", "roles/logging.admin", "google_project", "the project"),
        ("ml", "roles/bigquery.dataEditor", "google_bigquery_dataset", "prod_features"),
        ("prod-pipelines", "roles/storage.objectUser", "google_storage_bucket", "acme-prod-models"),
        ("prod-serving", "roles/bigquery.dataViewer", "google_bigquery_dataset", "prod_features"),
        ("projectOwners", "roles/bigquery.dataOwner", "google_bigquery_dataset", "prod_features"),
    ]


def test_a_condition_is_part_of_the_grant_and_the_level_follows_the_role(stack: SynthesisedStack) -> None:
    by_role = {one.role: one for one in grants([stack])}

    assert by_role["roles/logging.admin"].condition == "request.time < x"
    assert by_role["roles/logging.admin"].level is Level.ADMIN
    assert by_role["roles/storage.objectUser"].level is Level.WRITE
    assert by_role["roles/bigquery.dataViewer"].level is Level.READ


@pytest.mark.parametrize(
    ("member", "shown"),
    [
        ("serviceAccount:dev-x@p.iam.gserviceaccount.com", "dev-x"),
        ("serviceAccount:service-123456@gcp-sa-pubsub.iam.gserviceaccount.com", "agent pubsub"),
        ("serviceAccount:p.svc.id.goog[kubeflow/pipeline-runner]", "pod kubeflow/pipeline-runner"),
        (
            "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/attribute.x/y",
            "federated ci/attribute.x/y",
        ),
    ],
)
def test_identities_are_shown_as_people_call_them(member: str, shown: str) -> None:
    assert display_identity(member) == shown


def test_the_map_draws_every_grant_whose_resource_is_there_and_needs_no_network(stack: SynthesisedStack) -> None:
    html = page("prod", [stack])

    assert html.count("<path d=") == 4
    assert "a&lt;b&gt;" in html
    assert "<b>@" not in html
    assert "https://" not in html
    assert "src=" not in html


def test_an_account_of_the_stack_is_the_same_identity_by_reference_and_by_name() -> None:
    resources = (
        resource("google_service_account", "apply", {"account_id": "prod-apply"}),
        resource("google_project_iam_member", "a", {"role": "r", "member": "${google_service_account.apply.member}"}),
        resource(
            "google_project_iam_member",
            "b",
            {"role": "r", "member": "serviceAccount:prod-apply@acme.iam.gserviceaccount.com"},
        ),
    )

    found = grants([SynthesisedStack("prod-data", Path(), resources, {}, "acme")])

    assert {grant.identity for grant in found} == {"serviceAccount:prod-apply@acme.iam.gserviceaccount.com"}


@pytest.mark.parametrize(
    ("permissions", "level"),
    [
        (["storage.buckets.get", "storage.buckets.getIamPolicy", "storage.buckets.list"], Level.READ),
        (["storage.buckets.get", "storage.buckets.update"], Level.WRITE),
        (["storage.buckets.get", "storage.buckets.setIamPolicy"], Level.ADMIN),
    ],
)
def test_a_custom_role_is_shown_by_its_id_and_judged_by_its_permissions(permissions: list[str], level: Level) -> None:
    resources = (
        resource("google_project_iam_custom_role", "role", {"role_id": "prod_reader", "permissions": permissions}),
        resource(
            "google_project_iam_member",
            "a",
            {"role": "${google_project_iam_custom_role.role.name}", "member": "group:a@acme.com"},
        ),
    )

    (grant,) = grants([SynthesisedStack("prod-data", Path(), resources, {}, "acme")])

    assert (grant.role, grant.level) == ("prod_reader", level)


def test_many_resources_of_a_type_share_a_row_of_the_map() -> None:
    resources = tuple(resource("google_project_service", f"api{at}", {}) for at in range(9))

    html = page("prod", [SynthesisedStack("prod-data", Path(), resources, {}, "acme")])

    assert "9 x project service" in html
    assert "prod-data/api8" in html
