"""The doctor against answers of Google's APIs; every question is checked against the discovery documents."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from ci.lifecycle.doctor import CHECKS, LOGIN, CheckState, DoctorFinding, DoctorTarget, examine
from infra.settings import load_environment
from tests.google.session import Answers, client

IMAGE = "artifactregistry.projects.locations.repositories.dockerImages.get"
CONNECTION = "cloudbuild.projects.locations.connections.get"
POLICY = "cloudresourcemanager.projects.getIamPolicy"
PLACES = "orgpolicy.projects.policies.getEffectivePolicy"
WAITING = {"installationState": {"stage": "PENDING_USER_OAUTH", "actionUri": "https://x"}}
FULL = {"quotas": [{"metric": "CPUS", "limit": 24.0, "usage": 20.0}]}
ELSEWHERE = {"spec": {"rules": [{"values": {"allowedValues": ["in:us-locations"]}}]}}
AGENT = "serviceAccount:service-412345678901@gcp-sa-pubsub.iam.gserviceaccount.com"

DELETED = {"bindings": [{"role": "r", "members": [AGENT, "deleted:serviceAccount:x@y?uid=1"]}]}
PROJECT = "cloudresourcemanager.projects.get"


@pytest.fixture(scope="module")
def target() -> DoctorTarget:
    apis = ("aiplatform.googleapis.com", "storage.googleapis.com")
    return DoctorTarget(load_environment("dev"), apis, (AGENT,))


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
        "cloudresourcemanager.projects.getIamPolicy": {"bindings": [{"role": "roles/x", "members": [AGENT]}]},
        "compute.regions.get": {"quotas": [{"metric": "CPUS", "limit": 500.0, "usage": 10.0}]},
        "storage.buckets.get": {"versioning": {"enabled": True}},
        "artifactregistry.projects.locations.repositories.dockerImages.get": {"name": "x"},
        "cloudbuild.projects.locations.connections.get": {"installationState": {"stage": "COMPLETE"}},
    }


def look(target: DoctorTarget, answers: dict[str, Any]) -> dict[str, DoctorFinding]:
    found = examine(target, client(Answers(answers)))
    return {finding.check: finding for finding in found}


def test_a_healthy_project_is_well_in_every_respect(target: DoctorTarget, healthy: dict[str, Any]) -> None:
    found = look(target, healthy)

    assert {finding.state for finding in found.values()} == {CheckState.WELL}, found
    assert len(found) >= len(CHECKS)


def test_every_question_is_one_that_google_answers_and_none_writes(
    target: DoctorTarget, healthy: dict[str, Any]
) -> None:
    answers = Answers(healthy)

    list(examine(target, client(answers)))

    assert len(answers.asked) >= len(CHECKS)
    assert all(re.search(r"\.(get\w*|list)$", method) for method in answers.asked), answers.asked


@pytest.mark.parametrize(
    ("method", "answer", "check", "seen", "mend"),
    [
        (PROJECT, {"name": "projects/1", "state": "ACTIVE"}, "project", "number is 1", "project_number = 1"),
        (PROJECT, {"name": "projects/1", "state": "DELETE_REQUESTED"}, "project", "DELETE_REQUESTED", "undelete"),
        (PROJECT, 404, "project", "not there", "project_id"),
        ("cloudbilling.projects.getBillingInfo", {}, "billing", "no billing account", "gcloud billing projects link"),
        ("serviceusage.services.list", {"services": []}, "APIs", "2 off: aiplatform", "fonderie bootstrap --env dev"),
        ("compute.regions.get", FULL, "quotas", "4 cores are free", "quota"),
        ("storage.buckets.get", 404, "state bucket", "is not there", "fonderie bootstrap"),
        ("storage.buckets.get", {}, "state bucket", "no versions", "fonderie bootstrap"),
        (IMAGE, 404, "image of serving", "not in the registry", "gcloud builds triggers run"),
        (CONNECTION, WAITING, "git connection", "PENDING_USER_OAUTH", "https://x"),
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


def test_an_agent_that_the_project_does_not_know_is_unseen_with_the_command(
    target: DoctorTarget, healthy: dict[str, Any]
) -> None:
    found = look(target, healthy | {"cloudresourcemanager.projects.getIamPolicy": {}})

    assert found["service agents"].state is CheckState.UNSEEN
    assert "gcp-sa-pubsub" in found["service agents"].seen


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
