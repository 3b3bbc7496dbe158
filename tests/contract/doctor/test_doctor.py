"""The doctor against answers of Google's APIs; every question is checked against the discovery documents."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import requests

from ci.lifecycle.doctor import CHECKS, LOGIN, CheckState, DoctorFinding, DoctorTarget, examine
from infra import names
from infra.access.roles import custom_roles
from infra.names import AGENT_ROLES, IdentityName
from infra.settings import load_environment
from tests.google.session import Answers, client

IMAGE = "artifactregistry.projects.locations.repositories.dockerImages.get"
CONNECTION = "cloudbuild.projects.locations.connections.get"
POLICY = "cloudresourcemanager.projects.getIamPolicy"
PLACES = "orgpolicy.projects.policies.getEffectivePolicy"
WAITING = {"installationState": {"stage": "PENDING_USER_OAUTH", "actionUri": "https://x"}}
SSD = {"metric": "SSD_TOTAL_GB", "limit": 5000.0, "usage": 0.0}
FULL = {"quotas": [{"metric": "CPUS", "limit": 24.0, "usage": 20.0}, SSD]}
FULL_OF_DISKS = {"quotas": [{"metric": "CPUS", "limit": 500.0, "usage": 0.0}, SSD | {"usage": 4500.0}]}
ELSEWHERE = {"spec": {"rules": [{"values": {"allowedValues": ["in:us-locations"]}}]}}
ENV = load_environment("dev")
PROD = load_environment("prod")
GRANTED = [{"role": role, "members": [names.agent(ENV, agent)]} for agent, role in AGENT_ROLES.items()]
DELETED = {"bindings": [*GRANTED, {"role": "r", "members": ["deleted:serviceAccount:x@y?uid=1"]}]}
NO_ROLE = {"bindings": [one for one in GRANTED if one["role"] != "roles/eventarc.serviceAgent"]}
PERMISSIONS = sorted({permission for role in custom_roles(PROD).values() for permission in role})
TESTABLE = "iam.permissions.queryTestablePermissions"
ROLE = "iam.projects.roles.get"
TOKEN = "iamcredentials.projects.serviceAccounts.generateAccessToken"
HELD = "cloudresourcemanager.projects.testIamPermissions"
VERSIONS = "secretmanager.projects.secrets.versions.list"
LOCKS = "storage.objects.list"
LOCKED = {"items": [{"name": "dev-data/default.tflock", "generation": "17", "timeCreated": "2026-11-28T03:00:00Z"}]}


def offered(*, without: str = "", unsupported: str = "") -> dict[str, Any]:
    """What IAM answers of a project's testable permissions."""
    known = [{"name": each} for each in PERMISSIONS if each not in (without, unsupported)]
    return {"permissions": [*known, {"name": unsupported, "customRolesSupportLevel": "NOT_SUPPORTED"}]}


def provider(**changed: Any) -> dict[str, Any]:
    """What IAM answers of the pool's provider, as the bootstrap stack makes it."""
    condition = f"assertion.repository == 'acme/fonderie' && assertion.repository_id == '{ENV.git.repository_id}'"
    return {
        "state": "ACTIVE",
        "attributeCondition": f"{condition} && assertion.repository_owner_id == '{ENV.git.owner_id}'",
        "oidc": {"issuerUri": "https://token.actions.githubusercontent.com"},
        **changed,
    }


PROVIDER = "iam.projects.locations.workloadIdentityPools.providers.get"
ANY_OWNER = {"attributeCondition": "assertion.repository == 'acme/fonderie'"}
ELSEWHERES = {"oidc": {"issuerUri": "https://gitlab.com"}}
PROJECT = "cloudresourcemanager.projects.get"
STORAGE_ON = {"services": [{"config": {"name": "storage.googleapis.com"}}]}


@pytest.fixture(scope="module")
def target() -> DoctorTarget:
    apis = ("aiplatform.googleapis.com", "storage.googleapis.com")
    return DoctorTarget(ENV, apis, ("storage.googleapis.com",))


@pytest.fixture
def healthy() -> dict[str, Any]:
    """What Google answers of a project in which everything is as it should be."""
    return {
        "cloudresourcemanager.projects.get": {"name": "projects/412345678901", "state": "ACTIVE"},
        "cloudbilling.projects.getBillingInfo": {"billingEnabled": True, "billingAccountName": "billingAccounts/0X"},
        "serviceusage.services.list": {
            "services": [
                {"config": {"name": "aiplatform.googleapis.com"}},
                {"config": {"name": "storage.googleapis.com"}},
            ]
        },
        "cloudresourcemanager.projects.getIamPolicy": {"bindings": GRANTED},
        "compute.regions.get": {"quotas": [{"metric": "CPUS", "limit": 500.0, "usage": 10.0}, SSD]},
        TESTABLE: offered(),
        ROLE: {"includedPermissions": PERMISSIONS},
        TOKEN: {"accessToken": "a-token"},
        HELD: {"permissions": PERMISSIONS},
        LOCKS: {},
        VERSIONS: {"versions": [{"name": "v"}]},
        "storage.buckets.get": {"versioning": {"enabled": True}},
        "artifactregistry.projects.locations.repositories.dockerImages.get": {"name": "x"},
        "cloudbuild.projects.locations.connections.get": {"installationState": {"stage": "COMPLETE"}},
        PROVIDER: provider(),
    }


def look(target: DoctorTarget, answers: dict[str, Any]) -> dict[str, DoctorFinding]:
    google = client(Answers(answers))
    found = examine(replace(target, impersonate=lambda env, token: google), google)
    return {finding.check: finding for finding in found}


def test_a_healthy_project_is_well_in_every_respect(target: DoctorTarget, healthy: dict[str, Any]) -> None:
    found = look(target, healthy)

    assert {finding.state for finding in found.values()} == {CheckState.WELL}, found
    assert len(found) >= len(CHECKS)


def test_every_question_is_one_that_google_answers_and_none_writes(
    target: DoctorTarget, healthy: dict[str, Any]
) -> None:
    answers = Answers(healthy)
    google = client(answers)

    list(examine(replace(target, impersonate=lambda env, token: google), google))

    assert len(answers.asked) >= len(CHECKS)
    reads = r"\.(get\w*|list|queryTestablePermissions|testIamPermissions|generateAccessToken)$"
    assert all(re.search(reads, method) for method in answers.asked), answers.asked


@pytest.mark.parametrize(
    ("method", "answer", "check", "seen", "mend"),
    [
        (PROJECT, {"name": "projects/1", "state": "ACTIVE"}, "project", "number is 1", "project_number = 1"),
        (PROJECT, {"name": "projects/1", "state": "DELETE_REQUESTED"}, "project", "DELETE_REQUESTED", "undelete"),
        (PROJECT, 404, "project", "not there", "project_id"),
        ("cloudbilling.projects.getBillingInfo", {}, "billing", "no billing account", "gcloud billing projects link"),
        ("serviceusage.services.list", {"services": []}, "APIs", "2 off: aiplatform", "fonderie bootstrap --env dev"),
        ("serviceusage.services.list", STORAGE_ON, "APIs", "1 off: aiplatform", "cdktf deploy 'dev-foundation'"),
        ("compute.regions.get", FULL, "quotas", "4 cores are free", "quota"),
        ("compute.regions.get", FULL_OF_DISKS, "quotas of disks", "500 GB of SSD are free", "quota"),
        (POLICY, NO_ROLE, "service agents", "roles/eventarc.serviceAgent of service-412345678901", "fonderie boot"),
        (TESTABLE, offered(without="cloudbuild.operations.get"), "permissions of roles", "cloudbuild.oper", "iam"),
        (TESTABLE, offered(unsupported="cloudbuild.operations.get"), "permissions of roles", "cloudbuild.op", "iam"),
        (ROLE, 404, "roles", "dev_plan is not there", "fonderie bootstrap --env dev"),
        (ROLE, {"includedPermissions": PERMISSIONS, "deleted": True}, "roles", "dev_plan is deleted", "fonderie boot"),
        (ROLE, {"includedPermissions": PERMISSIONS[1:]}, "roles", f"lacks {PERMISSIONS[0]}", "fonderie bootstrap"),
        (TOKEN, 404, "identity plan", "dev-plan@acme-ml-dev.iam.gserviceaccount.com is not there", "fonderie boot"),
        (HELD, {}, "identity apply", "lacks", "fonderie bootstrap --env dev"),
        (LOCKS, LOCKED, "lock of dev-data", "locked since 2026", "-chdir=cdktf.out/stacks/dev-data force-unlock 17"),
        (VERSIONS, {}, "secret dev-preview-token", "has no value", "gcloud secrets versions add dev-preview-token"),
        (VERSIONS, 404, "secret dev-git-token", "not there", "cdktf deploy 'dev-data'"),
        ("storage.buckets.get", 404, "state bucket", "is not there", "fonderie bootstrap"),
        ("storage.buckets.get", {}, "state bucket", "no versions", "fonderie bootstrap"),
        (IMAGE, 404, "image of serving", "not in the registry", "gcloud builds triggers run"),
        (IMAGE, 404, "image of the manifests", "manifests-dev@sha256:", "fonderie manifests push --env dev"),
        (CONNECTION, WAITING, "git connection", "PENDING_USER_OAUTH", "https://x"),
        (PROVIDER, 404, "federation", "dev-github is not there", "fonderie bootstrap --env dev"),
        (PROVIDER, provider(state="DELETED"), "federation", "is deleted", "providers undelete dev-github"),
        (PROVIDER, provider(disabled=True), "federation", "is disabled", "fonderie bootstrap --env dev"),
        (PROVIDER, provider(**ANY_OWNER), "federation", "attribute condition is assertion.repository ==", "bootstrap"),
        (PROVIDER, provider(attributeCondition=""), "federation", "attribute condition is empty", "bootstrap"),
        (PROVIDER, provider(**ELSEWHERES), "federation", "issuer is https://gitlab.com", "fonderie bootstrap"),
        (PLACES, ELSEWHERE, "organisation", "in:us-locations", "region"),
        (POLICY, DELETED, "grants", "deleted", "cdktf deploy"),
    ],
)
def test_what_is_wrong_is_said_with_what_mends_it(
    target: DoctorTarget, healthy: dict[str, Any], method: str, answer: Any, check: str, seen: str, mend: str
) -> None:
    found = look(target, healthy | {method: answer})

    assert found[check].state is CheckState.WRONG
    assert seen in found[check].seen
    assert mend in found[check].mend
    others = {name: finding.state for name, finding in found.items() if not name.startswith(check.partition(" ")[0])}
    assert set(others.values()) == {CheckState.WELL}, others


def test_an_identity_that_one_may_not_become_is_unseen_with_the_grant_that_would_allow_it(
    target: DoctorTarget, healthy: dict[str, Any]
) -> None:
    found = look(target, healthy | {TOKEN: 403})

    assert found["identity plan"].state is CheckState.UNSEEN
    assert "roles/iam.serviceAccountTokenCreator" in found["identity plan"].mend
    assert found["identity apply"].state is CheckState.UNSEEN


@pytest.mark.parametrize(("held", "state"), [({"permissions": ["billing.budgets.get"]}, "well"), ({}, "wrong")])
def test_who_plans_must_see_the_budget_on_the_billing_account(
    healthy: dict[str, Any], held: dict[str, Any], state: str
) -> None:
    answers = healthy | {"cloudbilling.billingAccounts.testIamPermissions": held}

    found = look(DoctorTarget(PROD, ("storage.googleapis.com",), ()), answers)

    assert found["budget"].state is CheckState(state)
    if held == {}:
        assert found["budget"].mend == (
            "gcloud billing accounts add-iam-policy-binding 01AB23-45CD67-89EF01 --member "
            "serviceAccount:prod-plan@acme-ml-prod.iam.gserviceaccount.com --role roles/billing.viewer"
        )


def test_a_repository_that_is_trusted_by_its_name_alone_is_said(target: DoctorTarget, healthy: dict[str, Any]) -> None:
    git = ENV.git.model_copy(update={"repository_id": None})

    made = {PROVIDER: provider(attributeCondition=git.federation_condition)}
    found = look(replace(target, env=ENV.model_copy(update={"git": git})), healthy | made)

    assert found["federation"].state is CheckState.UNSEEN
    assert "repository_id not set" in found["federation"].seen
    assert "gh api repos/acme/fonderie" in found["federation"].mend


def test_permissions_are_asked_for_a_hundred_at_a_time_and_page_by_page(
    target: DoctorTarget, healthy: dict[str, Any]
) -> None:
    half = len(PERMISSIONS) // 2
    pages = [
        {"permissions": [{"name": each} for each in PERMISSIONS[:half]], "nextPageToken": "2"},
        {"permissions": [{"name": each} for each in PERMISSIONS[half:]]},
    ]
    answers = Answers(healthy | {TESTABLE: pages})
    google = client(answers)

    found = list(examine(replace(target, impersonate=lambda env, token: google), google))

    assert {finding.state for finding in found} == {CheckState.WELL}
    asked = [len(call.body["permissions"]) for call in answers.calls if call.method == HELD]
    assert max(asked) <= 100
    assert sum(asked) == sum(len(custom_roles(ENV)[who]) for who in (IdentityName.PLAN, IdentityName.APPLY))


@pytest.mark.parametrize(
    "failure", [403, 500, requests.exceptions.ConnectionError("cut"), requests.exceptions.Timeout("slow")]
)
def test_what_google_does_not_let_us_see_is_unseen_and_the_rest_goes_on(
    target: DoctorTarget, healthy: dict[str, Any], failure: int | Exception
) -> None:
    found = look(target, healthy | {"cloudbilling.projects.getBillingInfo": failure})

    assert found["billing"].state is CheckState.UNSEEN
    assert found["project"].state is CheckState.WELL


def test_without_credentials_nothing_is_called_well(target: DoctorTarget) -> None:
    found = list(examine(target, None, why_not="no credentials"))

    assert {finding.state for finding in found} == {CheckState.UNSEEN}
    assert {finding.mend for finding in found} == {LOGIN}
    assert len(found) == len(CHECKS)


def test_apis_are_read_page_by_page(target: DoctorTarget, healthy: dict[str, Any]) -> None:
    pages = [
        {"services": [{"config": {"name": "aiplatform.googleapis.com"}}], "nextPageToken": "2"},
        {"services": [{"config": {"name": "storage.googleapis.com"}}]},
    ]

    found = look(target, healthy | {"serviceusage.services.list": pages})

    assert found["APIs"].state is CheckState.WELL
    assert pages == []
