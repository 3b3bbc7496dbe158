"""Calls of the provider, judged by who makes them: the recorded calls of hashicorp/google are the witness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fonderie.core.errors import BadInputError
from fonderie.core.google_iam import methods, predefined_roles, provider_calls
from fonderie.sandbox.iam.caller import ANYONE, OWNER, PERSON, Caller, caller_in
from fonderie.sandbox.lifecycle.call_conditions import is_decided
from fonderie.sandbox.lifecycle.interface import ApiError
from fonderie.sandbox.lifecycle.permissions import caller_of
from tests.unit.fonderie.sandbox.google import PROJECT, PROVIDER, Google

ROBOT = Caller(f"serviceAccount:robot@{PROJECT}.iam.gserviceaccount.com")
PLACE = {"region": "us-central1"}
BUCKET = {"name": "b-1", "location": "us-central1"}
JOB = {
    "name": "j",
    **PLACE,
    "schedule": "0 5 * * *",
    "http_target": [{"uri": "https://x.example", "http_method": "POST"}],
}
WORKFLOW = {"name": "w", **PLACE, "source_contents": "main: {}"}
BUDGET = {"billing_account": "01-02-03", "amount": [{}]}
MODIFIED = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', [])"


def allow(google: Google, *permissions: str, caller: Caller = ROBOT, condition: str = "", role: str = "") -> None:
    """Give `caller` a role of its own with these permissions in the project, or a role of Google's."""
    cloud = google.world.cloud
    if not role:
        role = f"projects/{PROJECT}/roles/r{cloud.count('roles of the test')}"
        cloud.put("google_project_iam_custom_role", role, PROJECT, {"permissions": list(permissions)})
    version, policy = cloud.policy(f"projects/{PROJECT}")
    binding = {"role": role, "members": [caller.member], "condition": {"expression": condition}}
    bindings = [*policy["bindings"], binding]
    cloud.set_policy(f"projects/{PROJECT}", {**policy, "bindings": bindings}, version=version)


def of(type: str, action: str, *, without: Sequence[str] = ()) -> set[str]:
    """Every permission that the recorded calls of an action may need."""
    calls = provider_calls()[type][action]
    return {each for call in calls for each in methods()[call.method].permissions if each not in without}


def refused(google: Google, type: str, /, **attributes: object) -> str:
    with pytest.raises(ApiError) as caught:
        google.make(type, **attributes)
    return str(caught.value)


def test_every_condition_of_a_recorded_call_is_decided() -> None:
    used = {call for actions in provider_calls().values() for calls in actions.values() for call in calls}
    texts = {call.when for call in used}
    texts |= {when for call in used for when in methods()[call.method].when.values()}
    assert [text for text in texts if not is_decided(text)] == []


def test_an_owner_holds_what_every_recorded_call_needs() -> None:
    roles = ("roles/owner", "roles/storage.legacyBucketOwner", "roles/bigquery.dataOwner", "roles/billing.admin")
    held = {
        "storage.objects.get",
        "storage.objects.getIamPolicy",
        "storage.objects.setIamPolicy",
        "storage.objects.update",
    }
    held = held.union(*(predefined_roles()[role] for role in roles))
    lacking = {
        (type, each)
        for type, actions in provider_calls().items()
        for action in actions
        for each in of(type, action) - held
    }
    assert lacking == set()


def test_a_bucket_is_made_by_who_may_make_it(fresh: Google) -> None:
    fresh.enable("storage")
    robot = fresh.as_(ROBOT)
    message = refused(robot, "google_storage_bucket", **BUCKET)
    assert (
        f"Error creating Bucket: googleapi: Error 403: {ROBOT.email} does not have storage.buckets.create access "
        "to the Google Cloud project. Permission 'storage.buckets.create' denied on resource (or it may not exist)., "
        "forbidden"
    ) in message
    allow(fresh, "storage.buckets.create", "storage.buckets.get")
    state = robot.make("google_storage_bucket", **BUCKET)
    with pytest.raises(
        ApiError, match=r"does not have storage.buckets.delete access to the Google Cloud Storage bucket"
    ):
        robot.delete("google_storage_bucket", state)
    assert robot.read("google_storage_bucket", state) is not None
    with pytest.raises(ApiError, match=r"Error when reading or editing Bucket"):
        fresh.as_(Caller("user:eve@example.com")).read("google_storage_bucket", state)


def test_a_refusal_tells_who_lacks_what_and_where(fresh: Google) -> None:
    fresh.enable("storage")
    with pytest.raises(ApiError) as caught:
        fresh.as_(ROBOT).make("google_storage_bucket", **BUCKET)
    assert caught.value.diagnostics[0].detail == f"{ROBOT.email} lacks storage.buckets.create on projects/{PROJECT}."


def test_what_is_refused_before_the_write_is_not_made(fresh: Google) -> None:
    fresh.enable("pubsub")
    assert "Error 403" in refused(fresh.as_(ROBOT), "google_pubsub_topic", name="t")
    assert fresh.world.cloud.things("google_pubsub_topic") == []


def test_a_job_that_may_be_made_and_not_resumed_is_there_and_tainted(fresh: Google) -> None:
    fresh.enable("cloudscheduler")
    allow(fresh, *of("google_cloud_scheduler_job", "create", without=["cloudscheduler.jobs.enable"]))
    robot = fresh.as_(ROBOT)
    done = robot.life.create(
        "google_cloud_scheduler_job", robot.planned("google_cloud_scheduler_job", **JOB), robot.provider
    )
    assert done.state is not None
    assert 'lacks IAM permission "cloudscheduler.jobs.enable" for the resource' in done.diagnostics[0].summary
    assert len(fresh.world.cloud.things("google_cloud_scheduler_job")) == 1
    allow(fresh, "cloudscheduler.jobs.enable")
    robot.make("google_cloud_scheduler_job", **{**JOB, "name": "k"})


def test_a_paused_job_needs_no_resume(fresh: Google) -> None:
    fresh.enable("cloudscheduler")
    allow(fresh, *of("google_cloud_scheduler_job", "create", without=["cloudscheduler.jobs.enable"]))
    done = fresh.as_(ROBOT).make("google_cloud_scheduler_job", **JOB, paused=True)
    assert done["paused"] is True


def test_who_cannot_wait_for_an_operation_leaves_the_object_behind(fresh: Google) -> None:
    fresh.enable("workflows")
    allow(fresh, *of("google_workflows_workflow", "create", without=["workflows.operations.get"]))
    assert "Error 403: Permission 'workflows.operations.get'" in refused(
        fresh.as_(ROBOT), "google_workflows_workflow", **WORKFLOW
    )
    assert len(fresh.world.cloud.things("google_workflows_workflow")) == 1, "Google has it, Terraform's state has not"


def test_attaching_an_account_needs_the_right_to_act_as_it(fresh: Google) -> None:
    fresh.enable("workflows", "iam")
    account = fresh.make("google_service_account", account_id="worker")
    fresh.make("google_service_account", account_id="robot")
    allow(fresh, *of("google_workflows_workflow", "create", without=["iam.serviceAccounts.actAs"]))
    robot = fresh.as_(ROBOT)
    message = refused(robot, "google_workflows_workflow", **WORKFLOW, service_account=account["email"])
    assert f"Permission 'iam.serviceAccounts.actAs' denied on service account {account['email']}" in message
    fresh.make(
        "google_service_account_iam_member",
        service_account_id=account["name"],
        role="roles/iam.serviceAccountUser",
        member=ROBOT.member,
    )
    robot.make("google_workflows_workflow", **WORKFLOW, service_account=account["email"])


def test_an_account_that_is_only_named_is_not_attached(fresh: Google) -> None:
    fresh.enable("workflows", "iam")
    account = fresh.make("google_service_account", account_id="worker")
    allow(fresh, *of("google_workflows_workflow", "create", without=["iam.serviceAccounts.actAs"]))
    fresh.as_(ROBOT).make("google_workflows_workflow", **WORKFLOW, user_env_vars={"ACCOUNT": account["email"]})


def test_a_firewall_needs_the_network_s_policy(fresh: Google) -> None:
    fresh.enable("compute")
    network = fresh.make("google_compute_network", name="n")
    rule = {"name": "f", "network": network["id"], "allow": [{"protocol": "tcp"}]}
    allow(fresh, *of("google_compute_firewall", "create", without=["compute.networks.updatePolicy"]))
    message = refused(fresh.as_(ROBOT), "google_compute_firewall", **rule)
    assert f"Required 'compute.networks.updatePolicy' permission for 'projects/{PROJECT}/global/networks/n'" in message
    allow(fresh, "compute.networks.updatePolicy")
    fresh.as_(ROBOT).make("google_compute_firewall", **rule)


def test_a_policy_is_changed_within_the_condition_only(fresh: Google) -> None:
    fresh.enable("cloudresourcemanager")
    allow(
        fresh,
        role="roles/resourcemanager.projectIamAdmin",
        condition=f"{MODIFIED}.hasOnly(['roles/logging.logWriter'])",
    )
    robot, member = fresh.as_(ROBOT), {"member": "user:anna@example.com"}
    state = robot.make("google_project_iam_member", role="roles/logging.logWriter", **member)
    message = refused(robot, "google_project_iam_member", role="roles/editor", **member)
    assert "googleapi: Error 403: Policy update access denied., forbidden" in message
    assert robot.read("google_project_iam_member", state) is not None
    robot.delete("google_project_iam_member", state)
    owners = fresh.as_(PERSON).make("google_project_iam_member", role="roles/editor", **member)
    with pytest.raises(ApiError, match="Policy update access denied"):
        robot.delete("google_project_iam_member", owners)


def test_an_object_that_is_replaced_needs_the_right_to_delete(fresh: Google) -> None:
    fresh.enable("storage")
    fresh.make("google_storage_bucket", **BUCKET)
    allow(fresh, "storage.objects.create", "storage.objects.get")
    robot = fresh.as_(ROBOT)
    thing = {"bucket": "b-1", "name": "a.txt", "content": "one"}
    robot.make("google_storage_bucket_object", **thing)
    fresh.world.buckets.write("b-1", "b.txt", b"there before")
    assert "storage.objects.delete" in refused(robot, "google_storage_bucket_object", **{**thing, "name": "b.txt"})


def test_a_type_without_a_record_works_for_an_owner_only(fresh: Google) -> None:
    fresh.enable("sqladmin")
    assert "google_sql_database_instance" not in provider_calls()
    instance = {"name": "i", "database_version": "POSTGRES_16", **PLACE, "settings": [{"tier": "db-f1-micro"}]}
    message = refused(fresh.as_(ROBOT), "google_sql_database_instance", **instance)
    assert "the sandbox cannot say whether" in message
    fresh.as_(PERSON).make("google_sql_database_instance", **instance)


def test_a_budget_of_a_person_wants_a_quota_project(fresh: Google) -> None:
    fresh.enable("billingbudgets")
    message = refused(fresh.as_(PERSON), "google_billing_budget", **BUDGET)
    assert "Error 403: Your application is authenticating by using local Application Default Credentials" in message
    named = fresh.as_(PERSON, user_project_override=True, billing_project=PROJECT)
    state = named.make("google_billing_budget", **BUDGET)
    with pytest.raises(ApiError, match=r"Error 403: Permission 'billing.budgets.get' denied"):
        fresh.as_(ROBOT).read("google_billing_budget", state)
    assert fresh.as_(OWNER).read("google_billing_budget", state) is not None


def test_who_made_a_dataset_without_a_list_owns_it(fresh: Google) -> None:
    fresh.enable("bigquery")
    allow(fresh, "bigquery.datasets.create", "bigquery.datasets.get")
    robot = fresh.as_(ROBOT)
    dataset = robot.make("google_bigquery_dataset", dataset_id="d", location="EU")
    robot.make("google_bigquery_table", table_id="t", dataset_id="d")
    robot.delete("google_bigquery_dataset", {**dataset, "delete_contents_on_destroy": True})
    declared = {"dataset_id": "e", "location": "EU", "access": [{"role": "OWNER", "special_group": "projectOwners"}]}
    robot.make("google_bigquery_dataset", **declared)
    message = refused(robot, "google_bigquery_table", table_id="t", dataset_id="e")
    assert f"Access Denied: Dataset {PROJECT}:e: Permission bigquery.tables.create denied" in message


def test_a_data_source_and_an_import_are_reads(fresh: Google) -> None:
    fresh.enable("pubsub")
    topic = fresh.make("google_pubsub_topic", name="t")
    robot = fresh.as_(ROBOT)
    with pytest.raises(ApiError, match=r"Error reading Topic: googleapi: Error 403"):
        robot.life.import_("google_pubsub_topic", topic["id"], robot.provider)
    config = robot.world.schema.data_source("google_project").block.empty()
    with pytest.raises(ApiError, match=r"Permission 'resourcemanager.projects.get' denied"):
        robot.life.read_data("google_project", {**config, "project_id": PROJECT}, robot.provider)


def test_nobody_in_particular_may_do_everything(fresh: Google) -> None:
    fresh.enable("pubsub")
    assert fresh.provider.caller == ANYONE
    fresh.make("google_pubsub_topic", name="t")


def test_who_plans_and_who_applies_are_an_environment_s_accounts(fresh: Google) -> None:
    assert caller_in("somebody-elses", "plan", chosen=False) == OWNER
    assert caller_in(None, "apply", chosen=False) == OWNER
    assert caller_in("acme-ml-dev", "person", chosen=False) == PERSON
    with pytest.raises(BadInputError, match="not known in project 'somebody-elses'"):
        caller_in("somebody-elses", "plan", chosen=True)
    provider = replace(PROVIDER, project="acme-ml-dev")
    with pytest.raises(BadInputError, match=r"dev-apply@acme-ml-dev.iam.gserviceaccount.com does not exist") as caught:
        caller_of(fresh.world, "apply", provider, chosen=False)
    assert "fonderie sandbox run --as person -- fonderie bootstrap --env dev" in str(caught.value)


def test_a_provider_block_may_impersonate_who_lets_it(fresh: Google) -> None:
    fresh.enable("iam", "pubsub")
    account = fresh.make("google_service_account", account_id="worker")
    fresh.make("google_service_account", account_id="robot")
    provider = fresh.as_(ROBOT, impersonate_service_account=account["email"]).provider
    with pytest.raises(ApiError, match=r"Permission 'iam.serviceAccounts.getAccessToken' denied"):
        caller_of(fresh.world, ROBOT.member, provider, chosen=True)
    fresh.make(
        "google_service_account_iam_member",
        service_account_id=account["name"],
        role="roles/iam.serviceAccountTokenCreator",
        member=ROBOT.member,
    )
    assert caller_of(fresh.world, ROBOT.member, provider, chosen=True).email == account["email"]
