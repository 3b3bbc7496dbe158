"""The REST client and what stands on it; every request is checked against Google's discovery documents."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import google.auth
import pytest
import requests
from google.auth.compute_engine import Credentials as MachineCredentials
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from google.oauth2.credentials import Credentials

from fonderie.core.errors import BadInputError, ConflictError, FonderieError, RefusedError, StepFailedError
from fonderie.google import Access, NoCredentialsError, NotFoundError, PermissionDeniedError, RestClient
from fonderie.google.agents import grant_roles, make_service_agents
from fonderie.google.answers import Refusal
from fonderie.google.metadata import BigQuerySink, GoogleClient, fetch
from fonderie.google.operator import GoogleOperator
from fonderie.sandbox.rest.discovery import RejectedError
from infra.names import AGENTS_ON_DEMAND, AgentName
from ml.serving.server.prediction_log import LogRow
from tests.google.server import running
from tests.google.session import Answers, access, client

GET = "cloudresourcemanager.projects.get"
PROJECT = ("cloudresourcemanager", "v3/projects/acme")
POLICY = "cloudresourcemanager.projects.getIamPolicy"
ENDPOINT = "projects/acme/locations/europe-west1/endpoints/1234567890"
POOL = "projects/acme/locations/global/workloadIdentityPools/dev-git"
SECRET = "projects/acme/secrets/dev-webhook"
OPERATION = f"{ENDPOINT}/operations/1"

Answering = Callable[[dict[str, Any]], Answers]


def error_of(code: int, message: str, reason: str = "", **facts: str) -> tuple[int, dict[str, Any]]:
    """As Google writes it."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "metadata": facts}
    return code, {"error": {"code": code, "message": message, "status": "X", "details": [info]}}


DENIED = error_of(403, "Denied.", "IAM_PERMISSION_DENIED", permission="a.b.get", resource="projects/acme")
DISABLED = error_of(403, "Off.", "SERVICE_DISABLED", service="iam.googleapis.com")
QUOTA = error_of(429, "Too many.", "RATE_LIMIT_EXCEEDED", quota_metric="aiplatform.googleapis.com/cpus")


@pytest.mark.parametrize(
    ("answer", "kind", "what", "hint"),
    [
        (error_of(400, "Bad x."), BadInputError, "400 Bad x.", None),
        (DENIED, PermissionDeniedError, "403 Denied. (permission a.b.get, resource projects/acme)", "fonderie doctor"),
        (DISABLED, RefusedError, "403 Off. (service iam.googleapis.com)", "enable iam.googleapis.com"),
        (error_of(404, "Gone."), NotFoundError, "404 Gone.", "is the project right"),
        (error_of(409, "There."), ConflictError, "409 There.", "somebody else"),
        (error_of(412, "Changed."), ConflictError, "412 Changed.", "somebody else"),
        (QUOTA, RefusedError, "429 Too many. (quota metric aiplatform.googleapis.com/cpus)", "quota"),
        (error_of(503, "Down."), StepFailedError, "503 Down.", "run it again"),
    ],
)
def test_a_refusal_names_service_permission_resource_and_quota(
    answer: tuple[int, dict[str, Any]], kind: type[FonderieError], what: str, hint: str | None
) -> None:
    with pytest.raises(kind) as error:
        client(Answers({GET: answer})).get(*PROJECT)

    assert error.value.what == what
    assert error.value.where == "cloudresourcemanager.googleapis.com/v3/projects/acme"
    assert hint is None or hint in str(error.value.hint)
    status, document = answer
    assert Refusal.parse(status, json.dumps(document).encode()).what == what  # a serving container says the same


def test_what_a_message_names_is_not_said_twice_and_any_text_is_read() -> None:
    _, document = error_of(403, "Permission a.b.get denied.", permission="a.b.get")
    assert Refusal.parse(403, json.dumps(document).encode()).what == "403 Permission a.b.get denied."
    assert Refusal.parse(502, b"<html>Bad Gateway").what == "502 <html>Bad Gateway"
    assert Refusal.parse(502, b"").what == "502 no reason given"
    assert Refusal.parse(500, b'["x"]').what == '500 ["x"]'


@pytest.mark.parametrize("failure", [429, 500, 502, 503, 504, requests.ConnectionError("cut"), requests.Timeout()])
def test_what_may_be_repeated_is_repeated(failure: Any) -> None:
    answers = Answers({GET: [failure, {"name": "projects/1"}], POLICY: [failure, {}]})
    google = client(answers, patience_s=30)

    assert google.get(*PROJECT) == {"name": "projects/1"}
    assert google.post(PROJECT[0], f"{PROJECT[1]}:getIamPolicy", {}, idempotent=True) == {}
    assert answers.asked == [GET, GET, POLICY, POLICY]


@pytest.mark.parametrize("failure", [400, 403, 404, 409])
def test_a_refusal_that_stays_one_is_asked_for_once(failure: int) -> None:
    answers = Answers({GET: failure})

    with pytest.raises(FonderieError):
        client(answers, patience_s=30).get(*PROJECT)
    assert answers.asked == [GET]


def test_what_changes_something_is_never_sent_twice() -> None:
    answers = Answers({"secretmanager.projects.secrets.addVersion": [503, {}]})

    with pytest.raises(StepFailedError, match="503"):
        client(answers, patience_s=30).post("secretmanager", f"v1/{SECRET}:addVersion", {"payload": {"data": ""}})
    assert len(answers.asked) == 1


def test_the_last_failure_is_said_when_patience_is_over() -> None:
    with pytest.raises(StepFailedError, match="could not be reached: cut"):
        client(Answers({GET: requests.ConnectionError("cut")})).get(*PROJECT)


def test_a_collection_is_read_page_by_page_with_its_query() -> None:
    method = "serviceusage.services.list"
    answers = Answers({method: [{"services": [{"name": "a"}], "nextPageToken": "2"}, {"services": [{"name": "b"}]}]})

    services = client(answers).pages(
        "serviceusage", "v1/projects/acme/services", "services", {"filter": "state:ENABLED"}
    )

    assert [service["name"] for service in services] == ["a", "b"]
    assert [call.query.get("pageToken") for call in answers.calls] == [None, "2"]
    assert {call.query["filter"] for call in answers.calls} == {"state:ENABLED"}


def test_a_persons_calls_count_against_the_project_unless_they_chose_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service account's count against its own project: another needs a role."""

    def quota_project(credentials: Any) -> str | None:
        monkeypatch.setattr(google.auth, "default", lambda **_: (credentials, None))
        answers = Answers({GET: {}})
        rest = RestClient(Access("acme"))
        rest.session.mount("https://", answers)
        rest.get(*PROJECT)
        return answers.requests[0].headers.get("x-goog-user-project")

    class Machine(MachineCredentials):
        def before_request(self, *_: Any) -> None:
            """Without a metadata server."""

    assert quota_project(Credentials(token="t")) == "acme"
    assert quota_project(Credentials(token="t", quota_project_id="mine")) == "mine"
    assert quota_project(Machine()) is None


def test_missing_and_broken_credentials_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**_: Any) -> Any:
        raise DefaultCredentialsError("no file")

    class Expired(Credentials):
        def before_request(self, *_: Any) -> None:
            raise RefreshError("invalid_grant")

    monkeypatch.setattr(google.auth, "default", none)
    with pytest.raises(NoCredentialsError, match="there are no credentials") as error:
        RestClient(Access("acme")).get(*PROJECT)
    assert "gcloud auth application-default login" in str(error.value.hint)
    with pytest.raises(RefusedError, match="credentials do not work: invalid_grant"):
        RestClient(Access("acme", credentials=Expired(token="t"))).get(*PROJECT)


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("http://127.0.0.1:8", True),
        ("http://localhost:8", True),
        ("http://[::1]:8", True),
        ("http://192.168.1.7:8", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1@example.com", False),
        ("http://localhost.example.com:8", False),
    ],
)
def test_the_sandboxs_token_goes_to_this_machine_and_to_no_other(
    monkeypatch: pytest.MonkeyPatch, address: str, sent: bool
) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "secret")
    answers = Answers({GET: {}})
    rest = RestClient(Access("acme", endpoint=address), patience_s=0)
    rest.session.mount("http://", answers)
    with contextlib.suppress(FileNotFoundError):
        rest.get(*PROJECT)
    assert [request.headers.get("authorization") for request in answers.requests] == (
        ["Bearer secret"] if sent else [None]
    )
    assert GoogleClient(address)._headers() == ({"authorization": "Bearer secret"} if sent else {})


def test_no_token_goes_over_plain_http_unless_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_GOOGLE_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(google.auth, "default", lambda **_: pytest.fail("credentials of the environment were read"))

    with pytest.raises(StepFailedError, match="could not be reached"):
        RestClient(Access.from_environment("acme"), patience_s=0).get(*PROJECT)


def test_importing_the_package_imports_nothing_of_googles() -> None:
    code = "import sys, fonderie.google, fonderie.google.agents, fonderie.google.operator; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "fonderie.google.operator" in modules
    assert not [name for name in modules if re.match(r"(google\.(?!cloud$)|requests|urllib3|httpx)", name)]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    """Every REST client's requests go to the answers given last."""
    open_session = RestClient.__dict__["session"].func

    def answer(by_method: dict[str, Any]) -> Answers:
        answers = Answers(by_method)

        def session(client: RestClient) -> Any:
            opened = open_session(client)
            opened.mount("https://", answers)
            return opened

        monkeypatch.setattr(RestClient, "session", property(session))
        return answers

    return answer


def test_service_agents_are_asked_for_by_the_calls_that_make_them(answering: Answering) -> None:
    generate, bigquery = "serviceusage.services.generateServiceIdentity", "bigquery.projects.getServiceAccount"
    storage = "storage.projects.serviceAccount.get"
    answers = answering({generate: {"done": True}, bigquery: {}, storage: {}})

    make_service_agents(access(), 412345678901, [*AGENTS_ON_DEMAND, AgentName.STORAGE])

    assert set(answers.asked) == {generate, bigquery, storage}
    assert len(answers.asked) == len(AGENTS_ON_DEMAND) + 1


def test_making_an_agent_is_waited_for(answering: Answering) -> None:
    generate = "serviceusage.services.generateServiceIdentity"
    begun = {"name": "operations/finishing.1"}
    answers = answering({generate: begun, "serviceusage.operations.get": [begun, {**begun, "done": True}]})
    pauses: list[float] = []

    make_service_agents(access(), 412345678901, [AgentName.PUBSUB], pause=pauses.append)

    assert answers.asked == [generate, "serviceusage.operations.get", "serviceusage.operations.get"]
    assert len(pauses) == 2


def test_an_agent_that_google_does_not_make_is_an_error_in_its_words(answering: Answering) -> None:
    failed = {"name": "operations/x.1", "done": True, "error": {"code": 7, "message": "no such service"}}
    answering({"serviceusage.services.generateServiceIdentity": failed})

    with pytest.raises(
        StepFailedError, match=r"pubsub\.googleapis\.com: Google made no service agent: no such service"
    ):
        make_service_agents(access(), 412345678901, [AgentName.PUBSUB])


def test_an_agent_that_never_comes_is_an_error(answering: Answering) -> None:
    begun = {"name": "operations/x.1"}
    answering({"serviceusage.services.generateServiceIdentity": begun, "serviceusage.operations.get": begun})

    with pytest.raises(StepFailedError, match="no service agent after 300 s"):
        make_service_agents(access(), 412345678901, [AgentName.PUBSUB], pause=lambda _: None)


PROJECT_POLICY = "cloudresourcemanager.projects.getIamPolicy"
SET_POLICY = "cloudresourcemanager.projects.setIamPolicy"
PUBSUB, EVENTARC = "serviceAccount:service-1@gcp-sa-pubsub.x", "serviceAccount:service-1@gcp-sa-eventarc.x"
OWNER = {"role": "roles/owner", "members": ["user:ada@acme.com"], "condition": {"title": "t", "expression": "e"}}
AGENTS_AND_ROLES = {PUBSUB: "roles/pubsub.serviceAgent", EVENTARC: "roles/eventarc.serviceAgent"}
HELD_BY_ONE = {"version": 3, "etag": "e1", "bindings": [OWNER, {"role": AGENTS_AND_ROLES[PUBSUB], "members": [PUBSUB]}]}


def test_agents_get_the_roles_they_lack_and_nobody_loses_any(answering: Answering) -> None:
    answers = answering({PROJECT_POLICY: HELD_BY_ONE, SET_POLICY: {}})

    assert grant_roles(access(), AGENTS_AND_ROLES) == [EVENTARC]

    read, written = answers.calls
    assert read.body == {"options": {"requestedPolicyVersion": 3}}  # else conditions are lost
    added = {"role": AGENTS_AND_ROLES[EVENTARC], "members": [EVENTARC]}
    assert written.body == {"policy": {**HELD_BY_ONE, "bindings": [*HELD_BY_ONE["bindings"], added]}}


def test_nothing_is_written_when_every_agent_has_its_role(answering: Answering) -> None:
    answers = answering({PROJECT_POLICY: HELD_BY_ONE})

    assert grant_roles(access(), {PUBSUB: AGENTS_AND_ROLES[PUBSUB]}) == []

    assert answers.asked == [PROJECT_POLICY]


@pytest.mark.parametrize(
    "refusal",
    [
        (409, {"error": {"message": "There were concurrent policy changes.", "status": "ABORTED"}}),
        (400, {"error": {"message": f"Service account {EVENTARC} does not exist.", "status": "INVALID_ARGUMENT"}}),
    ],
)
def test_a_policy_that_changed_meanwhile_and_an_agent_not_yet_known_are_tried_again(
    answering: Answering, refusal: tuple[int, Any]
) -> None:
    answers = answering({PROJECT_POLICY: HELD_BY_ONE, SET_POLICY: [refusal, {}]})
    pauses: list[float] = []

    assert grant_roles(access(), AGENTS_AND_ROLES, pause=pauses.append) == [EVENTARC]

    assert answers.asked == [PROJECT_POLICY, SET_POLICY] * 2
    assert pauses == [10]


def test_a_grant_that_is_refused_is_said_at_once(answering: Answering) -> None:
    answers = answering({PROJECT_POLICY: HELD_BY_ONE, SET_POLICY: 403})

    with pytest.raises(PermissionDeniedError):
        grant_roles(access(), AGENTS_AND_ROLES)

    assert answers.asked == [PROJECT_POLICY, SET_POLICY]


def test_an_endpoint_is_emptied_model_by_model(answering: Answering) -> None:
    endpoints = "aiplatform.projects.locations.endpoints"
    answers = answering(
        {
            f"{endpoints}.get": {"deployedModels": [{"id": "1"}, {"id": "2"}]},
            f"{endpoints}.undeployModel": [{"name": OPERATION}, {"name": OPERATION, "done": True}],
            f"{endpoints}.operations.get": [{"name": OPERATION}, {"name": OPERATION, "done": True}],
        }
    )
    pauses: list[float] = []

    assert GoogleOperator(access(), pauses.append).undeploy(ENDPOINT) == 2

    assert [call.body["deployedModelId"] for call in answers.calls if call.method.endswith("undeployModel")] == [
        "1",
        "2",
    ]
    assert len(pauses) == 2


def test_an_undeploy_that_fails_is_said_and_an_absent_endpoint_is_empty(answering: Answering) -> None:
    endpoints = "aiplatform.projects.locations.endpoints"
    failed = {"name": OPERATION, "done": True, "error": {"code": 13, "message": "in use"}}
    answering({f"{endpoints}.get": {"deployedModels": [{"id": "1"}]}, f"{endpoints}.undeployModel": failed})

    with pytest.raises(StepFailedError, match="undeploying failed: in use"):
        GoogleOperator(access()).undeploy(ENDPOINT)
    answering({})
    assert GoogleOperator(access()).undeploy(ENDPOINT) == 0


@pytest.mark.parametrize(
    ("answer", "brought_back"), [({"state": "DELETED"}, True), ({"state": "ACTIVE"}, False), (404, False)]
)
def test_only_a_deleted_pool_is_brought_back(answering: Answering, answer: Any, brought_back: bool) -> None:
    pools = "iam.projects.locations.workloadIdentityPools"
    answers = answering({f"{pools}.get": answer, f"{pools}.undelete": {}})

    assert GoogleOperator(access()).undelete(POOL) is brought_back
    assert (f"{pools}.undelete" in answers.asked) is brought_back


def test_a_secrets_value_is_read_and_put_back(answering: Answering) -> None:
    secrets = "secretmanager.projects.secrets"
    payload = {"payload": {"data": base64.b64encode(b"s3cret").decode()}}
    answers = answering({f"{secrets}.versions.access": [payload, 404], f"{secrets}.addVersion": {}})
    operator = GoogleOperator(access())

    assert operator.secret_value(SECRET) == b"s3cret"
    assert operator.secret_value(SECRET) is None
    operator.put_secret_value(SECRET, b"s3cret")
    assert answers.calls[-1].body == payload


def test_a_serving_container_says_what_google_refuses_in_the_same_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = LogRow("r", 0, "air_time", "1", "champion", datetime(2013, 4, 1, tzinfo=UTC), 0.1, 1.0, "{}")
    sink = BigQuerySink("bigquery://proj-x/dev_flights/predictions")
    denied = RejectedError(403, "PERMISSION_DENIED", "storage.objects.list denied")
    with running() as stand_in:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", stand_in.address)
        monkeypatch.setattr(sink, "_client", GoogleClient(stand_in.address))
        stand_in.failures += [denied, denied, RejectedError(404, "notFound", "no such table")]

        with pytest.raises(PermissionDeniedError, match=r"403 storage\.objects\.list denied") as error:
            fetch("gs://models/air_time/v012", tmp_path)
        with pytest.raises(OSError, match=r"403 storage\.objects\.list denied"):
            sink.write([row])
        with pytest.raises(OSError, match="404 no such table"):
            sink.write([row])

    assert error.value.where == "gs://models/air_time/v012"
    assert [call.method.rpartition(".")[2] for call in stand_in.calls] == ["list", "insertAll", "insertAll"]
