"""What Google refuses for a while: agents without roles, what was just granted, enabled or made."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fonderie.sandbox.cloud.clock import Clock
from fonderie.sandbox.iam.caller import PERSON, Caller
from fonderie.sandbox.lifecycle.interface import ApiError
from tests.unit.fonderie.sandbox.google import NUMBER, PROJECT, Google

EVENTARC = f"service-{NUMBER}@gcp-sa-eventarc.iam.gserviceaccount.com"
STORAGE = f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
ROLES = f"projects/{PROJECT}"
TOPIC = f"projects/{PROJECT}/topics/events"
WORKFLOW = {"name": "w", "region": "us-central1", "source_contents": "main: {}"}
TRIGGER = {
    "name": "t",
    "location": "us-central1",
    "matching_criteria": [{"attribute": "type", "value": "google.cloud.pubsub.topic.v1.messagePublished"}],
    "destination": [{"workflow": f"projects/{PROJECT}/locations/us-central1/workflows/w"}],
}
ALERT = {
    "display_name": "drift",
    "combiner": "OR",
    "conditions": [
        {
            "display_name": "d",
            "condition_threshold": [
                {"filter": 'metric.type = "logging.googleapis.com/user/drift" AND resource.type = "global"'}
            ],
        }
    ],
}


def late(google: Google, seconds: float) -> Google:
    """The same cloud, where things take effect after a minute, so many seconds from now."""
    clock = Clock(scale=0.0, sleep=lambda _: None, now=lambda: datetime.now(UTC) + timedelta(seconds=seconds))
    google.world.cloud.history_s = 60.0
    return replace(google, world=replace(google.world, clock=clock, propagation_s=60.0))


def test_an_agent_that_comes_with_its_api_has_its_role(fresh: Google) -> None:
    fresh.enable("container")
    email = f"service-{NUMBER}@container-engine-robot.iam.gserviceaccount.com"
    assert fresh.world.access.roles_of(Caller(f"serviceAccount:{email}"), ROLES) == {"roles/container.serviceAgent"}


def test_an_agent_that_was_asked_for_has_no_role_and_a_trigger_is_refused_for_it(fresh: Google) -> None:
    fresh.enable("eventarc", "workflows", "pubsub", "cloudresourcemanager")
    fresh.world.cloud.add_agent(EVENTARC)
    fresh.make("google_workflows_workflow", **WORKFLOW)
    with pytest.raises(ApiError, match="Permission denied while using the Eventarc Service Agent"):
        fresh.make("google_eventarc_trigger", **TRIGGER)
    member = f"serviceAccount:{EVENTARC}"
    fresh.make("google_project_iam_member", role="roles/eventarc.serviceAgent", member=member)
    assert fresh.make("google_eventarc_trigger", **TRIGGER)["name"] == "t"


def test_an_agent_of_the_first_use_has_its_role(fresh: Google) -> None:
    fresh.enable("eventarc", "workflows", "pubsub")
    fresh.make("google_workflows_workflow", **WORKFLOW)
    fresh.make("google_eventarc_trigger", **TRIGGER)
    agent = Caller(f"serviceAccount:{EVENTARC}")
    assert fresh.world.access.roles_of(agent, ROLES) == {"roles/eventarc.serviceAgent"}


def test_an_alert_waits_for_its_log_metric(fresh: Google) -> None:
    fresh.enable("logging", "monitoring")
    with pytest.raises(ApiError, match="Error 404: Cannot find metric"):
        fresh.make("google_monitoring_alert_policy", **ALERT)
    late(fresh, 0).make("google_logging_metric", name="drift", filter="x")
    words = r'Error 404: Cannot find metric\(s\) that match type = "logging.googleapis.com/user/drift"'
    with pytest.raises(ApiError, match=words):
        late(fresh, 30).make("google_monitoring_alert_policy", **ALERT)
    assert late(fresh, 61).make("google_monitoring_alert_policy", **ALERT)["display_name"] == "drift"


def test_an_api_takes_requests_some_time_after_it_was_enabled(fresh: Google) -> None:
    late(fresh, 0).enable("pubsub")
    with pytest.raises(ApiError, match="If you enabled this API recently, wait a few minutes"):
        late(fresh, 30).make("google_pubsub_topic", name="events")
    assert late(fresh, 61).make("google_pubsub_topic", name="events")["id"] == TOPIC


def test_a_key_is_used_some_time_after_its_grant(fresh: Google) -> None:
    fresh.enable("storage", "cloudkms")
    fresh.world.cloud.add_agent(STORAGE)
    ring = fresh.make("google_kms_key_ring", name="r", location="us-central1")["id"]
    key = fresh.make("google_kms_crypto_key", name="k", key_ring=ring)["id"]
    bucket = {"name": "b-1", "location": "us-central1", "encryption": [{"default_kms_key_name": key}]}
    role = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
    late(fresh, 0).make(
        "google_kms_crypto_key_iam_member", crypto_key_id=key, role=role, member=f"serviceAccount:{STORAGE}"
    )
    with pytest.raises(ApiError, match="Error 403: Permission denied on Cloud KMS key"):
        late(fresh, 30).make("google_storage_bucket", **bucket)
    assert late(fresh, 61).make("google_storage_bucket", **bucket)["name"] == "b-1"


@pytest.mark.parametrize(
    ("permission", "why"),
    [
        ("aiplatform.operations.get", "Google has no such permission"),
        ("iam.workloadIdentityPools.get", "it is listed as iam.googleapis.com/workloadIdentityPools.get"),
        (
            "iam.workloadIdentityPoolProviders.get",
            "it is listed as iam.googleapis.com/workloadIdentityPoolProviders.get",
        ),
        ("newthing.things.get", "Only the sandbox's table"),
    ],
)
def test_a_custom_role_with_an_unknown_permission_is_refused_as_a_whole(
    fresh: Google, permission: str, why: str
) -> None:
    fresh.enable("iam")
    owner = fresh.as_(PERSON)
    role = {"role_id": "plan", "title": "plan", "permissions": ["storage.buckets.get", permission]}
    with pytest.raises(ApiError, match=f"Error 400: Permission {permission} is not valid., badRequest") as caught:
        owner.make("google_project_iam_custom_role", **role)
    assert why in caught.value.diagnostics[0].detail
    state = owner.make("google_project_iam_custom_role", **{**role, "permissions": ["storage.buckets.get"]})
    done = owner.change("google_project_iam_custom_role", state, permissions=["storage.buckets.get", permission])
    assert f"Permission {permission} is not valid" in done.diagnostics[0].summary


def test_a_role_that_google_does_not_know_is_refused(fresh: Google) -> None:
    fresh.enable("cloudresourcemanager")
    owner = fresh.as_(PERSON)
    member = {"member": "user:anna@example.com"}
    for role in (
        "roles/storage.objectViwer",
        "roles/custom.mine",
        "roles/superuser",
        f"projects/{PROJECT}/roles/none",
        "storage.admin",
    ):
        with pytest.raises(ApiError, match=f"Error 400: Role {role} is not supported for this resource., badRequest"):
            owner.make("google_project_iam_member", role=role, **member)
    for role in ("roles/storage.bucketViewer", "roles/storage.objectCreator", "roles/pubsub.subscriber"):
        owner.make("google_project_iam_member", role=role, **member)


def test_a_condition_that_cannot_be_read_is_refused(fresh: Google) -> None:
    fresh.enable("cloudresourcemanager")
    owner = fresh.as_(PERSON)
    condition = [{"title": "t", "description": "", "expression": "resource.name.startsWith('a'"}]
    with pytest.raises(ApiError, match="the condition cannot be read"):
        owner.make(
            "google_project_iam_member", role="roles/viewer", member="user:anna@example.com", condition=condition
        )


@pytest.mark.parametrize("mode", ["VULNERABILITY_BASIC", "VULNERABILITY_DISABLED"])
def test_a_cluster_cannot_ask_for_what_was_shut_down(established: Google, mode: str) -> None:
    cluster = {
        "name": "c",
        "location": "us-central1",
        "security_posture_config": [{"mode": "BASIC", "vulnerability_mode": mode}],
    }
    if mode == "VULNERABILITY_DISABLED":
        established.make("google_container_cluster", **cluster)
        return
    with pytest.raises(ApiError, match="Error 400: Vulnerability scanning is no longer supported"):
        established.make("google_container_cluster", **cluster)


def test_config_sync_takes_no_automatic_management(established: Google) -> None:
    feature = {"name": "configmanagement", "location": "global"}
    defaults = {"config_sync": [{"enabled": True}], "management": "MANAGEMENT_AUTOMATIC"}
    with pytest.raises(ApiError, match="Error 400: AutomaticManagement is no longer supported"):
        established.make(
            "google_gke_hub_feature", fleet_default_member_config=[{"configmanagement": [defaults]}], **feature
        )
    del defaults["management"]
    established.make(
        "google_gke_hub_feature", fleet_default_member_config=[{"configmanagement": [defaults]}], **feature
    )
