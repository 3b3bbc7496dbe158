"""The other APIs over one cloud: what Terraform made is answered, what REST changes is seen, who may not is refused."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from google.api_core.exceptions import Forbidden
from google.cloud import aiplatform_v1

from fonderie.core.errors import RefusedError
from fonderie.core.google_iam import methods, predefined_roles
from fonderie.google import Access
from fonderie.google.answers import NotFoundError
from fonderie.google.artifacts import OciImage, digest, exists, push
from fonderie.sandbox.cloud.documents import Documents
from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.iam.tokens import identity_token
from fonderie.sandbox.lifecycle import object_requests
from fonderie.sandbox.lifecycle.interface import ProviderConfig
from fonderie.sandbox.lifecycle.lifecycle import GoogleLifecycle
from fonderie.sandbox.rest import judgement
from fonderie.sandbox.rest.builds import add_image
from fonderie.sandbox.rest.discovery import Call, RejectedError
from fonderie.sandbox.rest.logs import Logs
from tests.contract.rest.conftest import LOCATION, NUMBER, PROJECT, Sandbox, account, person

P = f"projects/{PROJECT}"


def refused(answer: Any, status: int = 403) -> str:
    """The message of an answer that must be a refusal."""
    assert answer.status_code == status, answer.text
    return str(answer.json()["error"]["message"])


def fine(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_project_says_what_it_is(sandbox: Sandbox) -> None:
    for path, number in ((f"v1/{P}", "projectNumber"), (f"v3/projects/{NUMBER}", "name")):
        assert str(NUMBER) in fine(sandbox.call(person, "GET", path))[number]
    services = fine(sandbox.call(person, "GET", f"v1/{P}/services?filter=state:ENABLED&pageSize=2"))
    assert (len(services["services"]), "nextPageToken" in services) == (2, True)
    assert fine(sandbox.call(person, "GET", f"v1/{P}/billingInfo"))["billingEnabled"]
    assert refused(sandbox.call("plan", "GET", f"v1/{P}")).startswith(
        "Permission 'resourcemanager.projects.get' denied"
    )


def test_a_policy_is_written_under_its_etag(sandbox: Sandbox) -> None:
    binding = {"role": "roles/viewer", "members": ["user:a@example.com"]}
    policy = fine(sandbox.call(person, "POST", f"v1/{P}:getIamPolicy", json={}))
    wanted = {**policy, "bindings": [*policy.get("bindings", []), binding]}
    written = fine(sandbox.call(person, "POST", f"v1/{P}:setIamPolicy", json={"policy": wanted}))
    assert binding in written["bindings"]
    assert sandbox.cloud.policy(P)[1]["bindings"][-1]["role"] == "roles/viewer"
    message = refused(sandbox.call(person, "POST", f"v1/{P}:setIamPolicy", json={"policy": wanted}), 409)
    assert message.startswith("There were concurrent policy changes")
    ghost = {"bindings": [{"role": "roles/viewer", "members": [f"serviceAccount:x@{PROJECT}.iam.gserviceaccount.com"]}]}
    assert "does not exist" in refused(
        sandbox.call(person, "POST", f"v1/{P}:setIamPolicy", json={"policy": ghost}), 400
    )
    asked = {"permissions": ["resourcemanager.projects.get", "resourcemanager.projects.setIamPolicy"]}
    held = fine(sandbox.call(Caller("user:a@example.com"), "POST", f"v1/{P}:testIamPermissions", json=asked))
    assert held == {"permissions": ["resourcemanager.projects.get"]}


def test_an_agent_is_made_when_it_is_asked_for(sandbox: Sandbox) -> None:
    path = f"v1beta1/projects/{NUMBER}/services/pubsub.googleapis.com:generateServiceIdentity"
    email = f"service-{NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"
    assert fine(sandbox.call(person, "POST", path))["response"]["email"] == email
    assert sandbox.cloud.has_agent(email)


def test_a_secret_that_rest_adds_is_the_providers(sandbox: Sandbox) -> None:
    secret = f"{P}/secrets/dev-git-token"
    sandbox.make("google_secret_manager_secret", secret, secret_id="dev-git-token", name=secret)
    sandbox.grant(secret, "roles/secretmanager.secretAccessor", "apply")
    body = {"payload": {"data": base64.b64encode(b"the-token").decode()}}
    version = fine(sandbox.call(person, "POST", f"v1/{secret}:addVersion", json=body))
    assert version["name"] == f"{secret}/versions/1"
    read = fine(sandbox.call("apply", "GET", f"v1/{secret}/versions/latest:access"))
    assert base64.b64decode(read["payload"]["data"]) == b"the-token"
    assert "secretmanager.versions.access" in refused(sandbox.call("plan", "GET", f"v1/{secret}/versions/1:access"))

    kind = "google_secret_manager_secret_version"
    assert object_requests.exists(sandbox.world, kind, f"{secret}/versions/latest")  # what a connection asks for
    fine(sandbox.call(person, "POST", f"v1/{version['name']}:disable", json={}))
    assert "DISABLED state" in refused(sandbox.call("apply", "GET", f"v1/{version['name']}:access"), 400)


def test_what_rest_changes_is_drift_at_the_next_refresh(sandbox: Sandbox) -> None:
    topic = f"{P}/topics/retrain"
    sandbox.make("google_pubsub_topic", topic, name="retrain", effective_labels={"a": "b"}, labels={"a": "b"})
    assert fine(sandbox.call(person, "GET", f"v1/{topic}")) == {"name": topic, "labels": {"a": "b"}}
    change = {"topic": {"name": topic, "labels": {"a": "c"}}, "updateMask": "labels"}
    fine(sandbox.call(person, "PATCH", f"v1/{topic}", json=change))
    before = sandbox.cloud.live("google_pubsub_topic", topic)
    assert before is not None
    state = {**before.attributes, "labels": {"a": "b"}}
    seen = GoogleLifecycle(sandbox.world).read("google_pubsub_topic", state, ProviderConfig(project=PROJECT))
    assert seen is not None
    assert (seen["labels"], seen["effective_labels"]) == ({"a": "c"}, {"a": "c"})
    assert "update mask" in refused(
        sandbox.call(person, "PATCH", f"v1/{P}/secrets/x?updateMask=nonsense", json={"labels": {}}), 400
    )


def test_a_message_reaches_its_subscription_and_starts_its_workflow(sandbox: Sandbox) -> None:
    topic, workflow = f"{P}/topics/retrain", f"{LOCATION}/workflows/retrain"
    sandbox.make("google_pubsub_topic", topic, name="retrain")
    sandbox.make("google_pubsub_subscription", f"{P}/subscriptions/s", name="s", topic=topic, ack_deadline_seconds=10)
    sandbox.make("google_workflows_workflow", workflow, name="retrain")
    sandbox.make(
        "google_eventarc_trigger",
        f"{LOCATION}/triggers/retrain",
        name="retrain",
        service_account=account("retrain"),
        transport=[{"pubsub": [{"topic": topic}]}],
        destination=[{"workflow": workflow}],
    )
    sandbox.grant(topic, "roles/pubsub.publisher", "monitoring")
    message = {"messages": [{"data": base64.b64encode(b"{}").decode()}]}
    assert "pubsub.topics.publish" in refused(sandbox.call("plan", "POST", f"v1/{topic}:publish", json=message))
    fine(sandbox.call("monitoring", "POST", f"v1/{topic}:publish", json=message))
    assert len(Documents(sandbox.cloud, "workflow execution")) == 0  # its account may not invoke it

    sandbox.grant(P, "roles/workflows.invoker", "retrain")
    fine(sandbox.call("monitoring", "POST", f"v1/{topic}:publish", json=message))
    ((_, execution),) = Documents(sandbox.cloud, "workflow execution").items()
    assert json.loads(execution["argument"])["data"]["message"]["data"] == message["messages"][0]["data"]

    subscription = f"v1/{P}/subscriptions/s"
    first = fine(sandbox.call(person, "POST", f"{subscription}:pull", json={"maxMessages": 10}))["receivedMessages"]
    assert len(first) == 2
    assert fine(sandbox.call(person, "POST", f"{subscription}:pull", json={"maxMessages": 10})) == {}


def endpoint_client(sandbox: Sandbox, who: str | Caller) -> aiplatform_v1.EndpointServiceClient:
    return aiplatform_v1.EndpointServiceClient(
        transport="rest",
        credentials=sandbox.credentials(who),
        client_options={"api_endpoint": sandbox.server.address},
    )


def test_an_endpoint_that_terraform_made_takes_a_model_from_who_may_act_as_its_account(sandbox: Sandbox) -> None:
    endpoint = f"{LOCATION}/endpoints/dev-air-time"
    sandbox.make("google_vertex_ai_endpoint", endpoint, name="dev-air-time", display_name="air_time")
    serving = account("serving")
    request = {
        "endpoint": endpoint,
        "deployed_model": {"model": f"{LOCATION}/models/air_time@1", "service_account": serving},
        "traffic_split": {"0": 100},
    }
    role = f"{P}/roles/deployer"
    permissions = ["aiplatform.endpoints.deploy", "aiplatform.models.get", "aiplatform.endpoints.get"]
    sandbox.make("google_project_iam_custom_role", role, permissions=permissions)
    sandbox.grant(P, role, "apply")
    with pytest.raises(Forbidden, match=f"actAs' denied on service account {serving}"):
        endpoint_client(sandbox, "apply").deploy_model(request=request)

    sandbox.grant(f"{P}/serviceAccounts/{serving}", "roles/iam.serviceAccountUser", "apply")
    client = endpoint_client(sandbox, "apply")
    client.deploy_model(request=request).result(timeout=30)
    (model,) = client.get_endpoint(name=endpoint.replace(PROJECT, str(NUMBER))).deployed_models
    assert model.model_version_id == "1"
    thing = sandbox.cloud.live("google_vertex_ai_endpoint", endpoint)
    assert thing is not None
    assert thing.attributes["deployed_models"][0]["id"] == model.id


def test_a_scheduler_job_runs_as_its_account_when_it_is_asked_to(sandbox: Sandbox) -> None:
    job = f"{LOCATION}/jobs/dev-retrain"
    body = {"displayName": "x", "templateUri": "gs://b/x", "serviceAccount": account("pipelines")}
    target = {
        "uri": f"https://europe-west1-aiplatform.googleapis.com/v1/{LOCATION}/pipelineJobs",
        "http_method": "POST",
        "headers": {"Content-Type": "application/json"},
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "oauth_token": [{"service_account_email": account("scheduler"), "scope": ""}],
    }
    sandbox.make("google_cloud_scheduler_job", job, name="dev-retrain", schedule="0 4 * * *", http_target=[target])
    run = f"v1/{job}:run"
    assert fine(sandbox.call(person, "POST", run))["status"] == {"code": 7}

    starts = f"{P}/roles/starter"
    sandbox.make("google_project_iam_custom_role", starts, permissions=["aiplatform.pipelineJobs.create"])
    sandbox.grant(P, starts, "scheduler")
    sandbox.grant(f"{P}/serviceAccounts/{account('pipelines')}", "roles/iam.serviceAccountUser", "scheduler")
    assert fine(sandbox.call(person, "POST", run))["status"] == {}
    ((name, made),) = Documents(sandbox.cloud, "pipeline job").items()
    assert (name.rpartition("/")[0], made["serviceAccount"]) == (f"{LOCATION}/pipelineJobs", account("pipelines"))

    shown = fine(sandbox.call(person, "POST", f"v1/{job}:pause", json={}))
    assert shown["state"] == "PAUSED"
    thing = sandbox.cloud.live("google_cloud_scheduler_job", job)
    assert thing is not None
    assert thing.attributes["paused"] is True


def test_a_token_of_the_git_host_becomes_ours_as_mapping_and_condition_say(sandbox: Sandbox) -> None:
    pool = f"{P}/locations/global/workloadIdentityPools/github"
    provider = f"{pool}/providers/github"
    sandbox.make("google_iam_workload_identity_pool", pool, workload_identity_pool_id="github")
    issuer = "https://token.actions.githubusercontent.com"
    sandbox.make(
        "google_iam_workload_identity_pool_provider",
        provider,
        workload_identity_pool_id="github",
        attribute_mapping={"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"},
        attribute_condition="assertion.repository_id == '7'",
        oidc=[{"issuer_uri": issuer, "allowed_audiences": []}],
    )
    audience = f"//iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/github/providers/github"
    claims = {
        "iss": issuer,
        "sub": "repo:a/b:ref:x",
        "repository": "a/b",
        "repository_id": "7",
        "aud": f"https:{audience}",
    }

    def exchange(key: dict[str, Any] | None = None, **changed: Any) -> Any:
        told = {**claims, "exp": time.time() + 300, **changed}
        return sandbox.call(
            None,
            "POST",
            "v1/token",
            data={
                "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
                "audience": audience,
                "scope": "https://www.googleapis.com/auth/cloud-platform",
                "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "subject_token": identity_token(sandbox.cloud, told),
            },
        )

    federated = fine(exchange())["access_token"]
    email = account("plan")
    path = f"v1/projects/-/serviceAccounts/{email}:generateAccessToken"
    body = {"scope": ["https://www.googleapis.com/auth/cloud-platform"]}
    headers = {"authorization": f"Bearer {federated}"}
    assert "iam.serviceAccounts.getAccessToken" in refused(sandbox.call(None, "POST", path, json=body, headers=headers))
    member = f"principalSet://iam.googleapis.com/projects/{NUMBER}/locations/global/workloadIdentityPools/github/attribute.repository/a/b"
    role = "roles/iam.serviceAccountTokenCreator"
    binding = {"role": role, "condition": None, "members": [member]}
    sandbox.cloud.set_policy(f"{P}/serviceAccounts/{email}", {"bindings": [binding]}, version=0)
    token = fine(sandbox.call(None, "POST", path, json=body, headers=headers))["accessToken"]
    assert sandbox.server.tokens.caller_of(token) == Caller(f"serviceAccount:{email}")

    for changed, said in (
        ({"repository_id": "8"}, "rejected by the attribute condition"),
        ({"exp": 1}, "stale"),
        ({"aud": "https://elsewhere"}, "does not match the expected audience"),
        ({"iss": "https://evil.example.com"}, "not signed"),
    ):
        answer = exchange(**changed)
        assert (answer.status_code, said in answer.json()["error_description"]) == (400, True), answer.text


def test_an_image_a_build_and_a_log_entry_are_kept(sandbox: Sandbox) -> None:
    repository = f"{LOCATION}/repositories/images"
    digest = "sha256:" + "0" * 64
    name = add_image(sandbox.cloud, repository, "training", digest, ["v1"])
    assert fine(sandbox.call(person, "GET", f"v1/{name}"))["tags"] == ["v1"]
    assert refused(sandbox.call(person, "GET", f"v1/{repository}/dockerImages/other@{digest}"), 404)

    identifier = "7e187af7-8ab2-4986-9bb3-839421846f2f"
    trigger = f"{LOCATION}/triggers/{identifier}"
    sandbox.make(
        "google_cloudbuild_trigger",
        trigger,
        name="drift",
        trigger_id=identifier,
        substitutions={"_ENV": "dev"},
        service_account=f"{P}/serviceAccounts/{account('plan')}",
    )
    role = f"{P}/roles/starter"
    sandbox.make(
        "google_project_iam_custom_role", role, permissions=["cloudbuild.builds.create", "cloudbuild.builds.get"]
    )
    sandbox.grant(P, role, "scheduler")
    run = f"v1/{LOCATION}/triggers/drift:run"  # by its name, as the nightly job calls it
    for called in (f"v1/{trigger}:run", run):
        assert "actAs" in refused(sandbox.call("scheduler", "POST", called, json={}))
    sandbox.grant(f"{P}/serviceAccounts/{account('plan')}", "roles/iam.serviceAccountUser", "scheduler")
    build = fine(sandbox.call("scheduler", "POST", run, json={}))["metadata"]["build"]
    assert (build["status"], build["substitutions"]) == ("QUEUED", {"_ENV": "dev"})

    sandbox.grant(P, "roles/logging.logWriter", "plan")
    entry = {"logName": f"{P}/logs/drift", "severity": "ERROR", "jsonPayload": {"changes": 2}}
    fine(sandbox.call("plan", "POST", "v2/entries:write", json={"entries": [entry]}))
    assert len(Documents(sandbox.cloud, "log entry")) == 1


@pytest.mark.parametrize(
    ("text", "matching"),
    [
        ("severity>=WARNING AND (jsonPayload.changes=2 OR jsonPayload.changes=3)", ["a", "b"]),
        ('log_id("drift") NOT severity=ERROR', ["b"]),
        ('jsonPayload.message=~"^changed [0-9]$"', ["c"]),
    ],
)
def test_entries_are_listed_by_the_whole_filter_language_that_alerts_use(
    sandbox: Sandbox, text: str, matching: list[str]
) -> None:
    logs, listed = Logs(sandbox.world), {"resourceNames": [P], "filter": text}
    entries = [
        {"insertId": "a", "logName": f"{P}/logs/drift", "severity": "ERROR", "jsonPayload": {"changes": 2}},
        {"insertId": "b", "logName": f"{P}/logs/drift", "severity": "WARNING", "jsonPayload": {"changes": 3}},
        {"insertId": "c", "logName": f"{P}/logs/other", "severity": "INFO", "jsonPayload": {"message": "changed 4"}},
    ]
    logs.handle(Call("logging.entries.write", {}, {}, {"entries": entries}))
    answer = logs.handle(Call("logging.entries.list", {}, {}, listed))
    assert [entry["insertId"] for entry in answer["entries"]] == matching
    with pytest.raises(RejectedError) as refusal:
        logs.handle(Call("logging.entries.list", {}, {}, {**listed, "filter": "severity >"}))
    assert refusal.value.status == 400


def test_a_quota_project_needs_the_right_to_use_it(sandbox: Sandbox) -> None:
    sandbox.grant(P, "roles/viewer", "plan")
    headers = {"x-goog-user-project": PROJECT}
    fine(sandbox.call("plan", "GET", f"v1/{P}"))
    assert "serviceusage.services.use" in refused(sandbox.call("plan", "GET", f"v1/{P}", headers=headers))


def test_a_method_of_which_no_permission_is_known_is_for_owners_only(sandbox: Sandbox) -> None:
    sandbox.grant(P, "roles/editor", "plan")
    method = f"v1/{P}/topics/x/subscriptions"
    answer = sandbox.call("plan", "GET", method)
    owners = sandbox.call(person, "GET", method)
    assert "does not know which permissions" not in owners.text
    assert owners.status_code != 403
    assert "does not know which permissions pubsub.projects.topics.subscriptions.list needs" in refused(answer, 501)
    assert "no API" in refused(sandbox.call(person, "POST", "v7/nothing"), 501)


@pytest.mark.parametrize(
    "path",
    [
        f"storage/v1/b?project={PROJECT}",
        f"v1/{P}/secrets",
        f"v1/{P}/builds",
        f"v1/{LOCATION}/triggers",
        f"v1/{LOCATION}/repositories/dev-images/packages/x/versions",
        f"v1/{LOCATION}/repositories/dev-images/packages/x/tags",
    ],
)
def test_a_method_whose_holders_are_not_known_answers_the_owner_and_nobody_else(sandbox: Sandbox, path: str) -> None:
    sandbox.grant(P, "roles/editor", "plan")
    fine(sandbox.call(person, "GET", path))
    assert "does not know which permissions" in refused(sandbox.call("plan", "GET", path), 501)


def test_every_permission_of_the_table_by_hand_is_held_by_a_role_and_asked_for() -> None:
    held = frozenset[str]().union(*predefined_roles().values())
    assert {permission for wanted in judgement._MORE.values() for permission in wanted} <= held
    assert not judgement._MORE.keys() & methods().keys()


def test_a_build_as_an_account_needs_the_right_to_attach_it(sandbox: Sandbox) -> None:
    sandbox.grant(P, "roles/cloudbuild.builds.editor", "plan")
    body = {"steps": [], "serviceAccount": f"{P}/serviceAccounts/{account('apply')}"}
    assert "iam.serviceAccounts.actAs" in refused(sandbox.call("plan", "POST", f"v1/{LOCATION}/builds", json=body))
    fine(sandbox.call("plan", "POST", f"v1/{LOCATION}/builds", json={"steps": []}))


def test_a_registry_takes_images_from_who_may_write_and_never_moves_a_tag(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The protocol that Config Sync, Docker and our own command speak."""
    path = f"{LOCATION}/repositories/dev-images"
    immutable = [{"immutable_tags": True}]
    sandbox.make("google_artifact_registry_repository", path, repository_id="dev-images", docker_config=immutable)
    sandbox.grant(path, "roles/artifactregistry.writer", "apply")
    place, access = (
        f"europe-west1-docker.pkg.dev/{PROJECT}/dev-images/x",
        Access(PROJECT, endpoint=sandbox.server.address),
    )
    image = OciImage.of({"a": "b"})

    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", sandbox.token("plan"))
    with pytest.raises(RefusedError, match="403 Forbidden"):
        push(access, place, image)
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", sandbox.token("apply"))
    access = Access(PROJECT, endpoint=sandbox.server.address)
    reference = push(access, place, image)
    assert exists(access, reference)
    assert not exists(access, f"{reference[:-4]}0000")
    with pytest.raises(NotFoundError, match="not found"):
        push(access, place.replace("dev-images", "none"), image)

    base = f"v2/{PROJECT}/dev-images/x"
    tag = digest(image.manifest).removeprefix("sha256:")[:16]
    pulled = sandbox.call("apply", "GET", f"{base}/manifests/{tag}")
    assert (pulled.content, pulled.headers["docker-content-digest"]) == (image.manifest, reference.partition("@")[2])
    other = OciImage.of({"a": "c"})
    unknown = sandbox.call("apply", "PUT", f"{base}/manifests/v2", content=other.manifest)
    assert (unknown.status_code, unknown.json()["errors"][0]["code"]) == (400, "MANIFEST_BLOB_UNKNOWN")
    push(access, place, other)
    package = f"v1/{path}/packages/x"
    versions = fine(sandbox.call(person, "GET", f"{package}/versions"))["versions"]
    assert {each["name"].partition("/versions/")[2] for each in versions} == {
        digest(each.manifest) for each in (image, other)
    }
    named = f"{path}/packages/x/versions/{digest(image.manifest)}"
    listed = fine(sandbox.call(person, "GET", f"{package}/tags"))["tags"]
    assert {"name": f"{path}/packages/x/tags/{tag}", "version": named} in listed
    moved = sandbox.call("apply", "PUT", f"{base}/manifests/{tag}", content=other.manifest)
    assert (moved.status_code, moved.json()["errors"][0]["code"]) == (400, "MANIFEST_INVALID")
    wrong = sandbox.call("apply", "PUT", f"{base}/blobs/uploads/1?digest=sha256:0", content=b"x")
    assert (wrong.status_code, wrong.json()["errors"][0]["code"]) == (400, "DIGEST_INVALID")


def test_a_policy_goes_out_and_comes_back_with_its_audit_logs(sandbox: Sandbox) -> None:
    """Kept are the provider's words, shown the API's: what a person writes back stays readable for Terraform."""
    version, policy = sandbox.cloud.policy(P)
    logs = [{"log_type": "DATA_READ", "exempted_members": []}]
    audited = {**policy, "auditConfigs": [{"service": "storage.googleapis.com", "logs": logs}]}
    sandbox.cloud.set_policy(P, audited, version=version)
    shown = fine(sandbox.call(person, "POST", f"v1/{P}:getIamPolicy", json={}))
    assert shown["auditConfigs"] == [
        {"service": "storage.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ"}]}
    ]
    fine(sandbox.call(person, "POST", f"v1/{P}:setIamPolicy", json={"policy": shown}))
    assert sandbox.cloud.policy(P)[1]["auditConfigs"] == audited["auditConfigs"]


def test_objects_are_listed_by_a_glob(sandbox: Sandbox) -> None:
    """As the doctor looks for locks. Source: Cloud Storage, "Filter results by glob"."""
    sandbox.bucket("acme-state")
    for name in ("dev-data/default.tflock", "dev-data/default.tfstate", "x.tflock"):
        fine(
            sandbox.call(person, "POST", f"upload/storage/v1/b/acme-state/o?uploadType=media&name={name}", content=b"x")
        )
    for glob, names in (("**.tflock", ["dev-data/default.tflock", "x.tflock"]), ("*.tflock", ["x.tflock"])):
        listed = fine(sandbox.call(person, "GET", "storage/v1/b/acme-state/o", params={"matchGlob": glob}))
        assert [each["name"] for each in listed["items"]] == names
    assert refused(sandbox.call(person, "GET", "storage/v1/b/acme-state/o?matchGlob={a,b}"), 501)
