"""Who may do what, by the policies of a cloud file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fonderie.core.errors import BadInputError
from fonderie.sandbox.cloud.clock import Clock
from fonderie.sandbox.cloud.cloud import Cloud, ObjectStatus
from fonderie.sandbox.iam.access import AccessControl, CallLog, Demand, DeniedError, Grant
from fonderie.sandbox.iam.caller import ANONYMOUS, ANYONE, PERSON, Caller, environments, identity
from infra.settings import load_environment

PROJECT = "projects/acme-ml-dev"
SECRET = f"{PROJECT}/secrets/dev-git-token"
ANNA = Caller("user:anna@example.com")
ROBOT = Caller("serviceAccount:robot@acme-ml-dev.iam.gserviceaccount.com")
GET = "secretmanager.versions.access"
ACCESSOR = "roles/secretmanager.secretAccessor"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with Cloud(tmp_path / "google.sqlite") as opened:
        opened.set_number("acme-ml-dev", 412345678901)
        yield opened


@pytest.fixture
def access(cloud: Cloud) -> AccessControl:
    return AccessControl(cloud, Clock(now=lambda: NOW))


def grant(cloud: Cloud, path: str, role: str, *members: str, condition: str = "") -> None:
    version, policy = cloud.policy(path)
    binding = {"role": role, "members": list(members)}
    if condition:
        binding["condition"] = {"title": "t", "description": "", "expression": condition}  # type: ignore[assignment]
    cloud.set_policy(path, {**policy, "bindings": [*policy["bindings"], binding]}, version=version)


@pytest.mark.parametrize("granted_on", [PROJECT, SECRET, f"{SECRET}/versions/1"])
def test_a_grant_holds_on_its_resource_and_on_what_lies_within(
    cloud: Cloud, access: AccessControl, granted_on: str
) -> None:
    assert not access.allows(ROBOT, GET, f"{SECRET}/versions/1")
    grant(cloud, granted_on, ACCESSOR, ROBOT.member)
    assert access.allows(ROBOT, GET, f"{SECRET}/versions/1")
    assert not access.allows(ANNA, GET, f"{SECRET}/versions/1")
    assert not access.allows(ROBOT, "secretmanager.versions.add", f"{SECRET}/versions/1")
    assert not access.allows(ROBOT, GET, "projects/other/secrets/dev-git-token/versions/1")


@pytest.mark.parametrize(
    ("email", "kind"),
    [
        ("robot@acme-ml-dev.iam.gserviceaccount.com", "ServiceAccount"),
        ("service-412345678901@gcp-sa-aiplatform.iam.gserviceaccount.com", "ServiceAgent"),
        ("robot@other.iam.gserviceaccount.com", ""),
        ("service-412345678902@gcp-sa-aiplatform.iam.gserviceaccount.com", ""),
    ],
)
def test_a_grant_to_the_accounts_of_a_project_holds_for_its_own_or_for_its_agents(
    cloud: Cloud, access: AccessControl, email: str, kind: str
) -> None:
    for each in ("ServiceAccount", "ServiceAgent"):
        path = f"{PROJECT}/secrets/{each}"
        accounts = f"principalSet://cloudresourcemanager.googleapis.com/projects/412345678901/type/{each}"
        grant(cloud, path, ACCESSOR, accounts)
        assert access.allows(Caller(f"serviceAccount:{email}"), GET, path) == (each == kind)


def test_a_grant_on_one_resource_holds_on_no_other(cloud: Cloud, access: AccessControl) -> None:
    grant(cloud, SECRET, ACCESSOR, ROBOT.member)
    assert not access.allows(ROBOT, GET, f"{PROJECT}/secrets/dev-git-token-2/versions/1")
    assert not access.allows(ROBOT, GET, PROJECT)


def test_a_custom_role_holds_what_it_says_until_it_is_deleted(cloud: Cloud, access: AccessControl) -> None:
    role = f"{PROJECT}/roles/dev_plan"
    cloud.put("google_project_iam_custom_role", role, "acme-ml-dev", {"permissions": [GET]})
    grant(cloud, PROJECT, role, ROBOT.member)
    assert access.allows(ROBOT, GET, SECRET)
    assert not access.allows(ROBOT, "secretmanager.secrets.get", SECRET)
    cloud.mark("google_project_iam_custom_role", role, ObjectStatus.SOFT_DELETED)
    assert not access.allows(ROBOT, GET, SECRET)


def test_a_refusal_names_permission_and_resource(access: AccessControl) -> None:
    with pytest.raises(DeniedError, match=r"Permission 'secretmanager.versions.access' denied for resource") as caught:
        access.demand(ROBOT, ["secretmanager.versions.access"], SECRET)
    assert (caught.value.status, caught.value.permission, caught.value.resource) == (403, GET, SECRET)
    assert SECRET in caught.value.message
    assert ROBOT.email in str(caught.value)


def test_basic_roles_reach_a_bucket_only_through_its_own_grants(cloud: Cloud, access: AccessControl) -> None:
    grant(cloud, PROJECT, "roles/viewer", ANNA.member)
    cloud.put("google_storage_bucket", "b/acme-raw", "", {"project": "acme-ml-dev"})
    cloud.put("google_storage_bucket", "b/elsewhere", "", {"project": "other"})
    assert access.allows(ANNA, "storage.objects.get", "b/acme-raw/o/a/b.txt")
    assert access.allows(ANNA, "storage.buckets.get", "b/acme-raw")
    assert not access.allows(ANNA, "storage.buckets.getIamPolicy", "b/acme-raw")
    assert not access.allows(ANNA, "storage.buckets.get", "b/elsewhere")
    assert not access.allows(ANNA, "storage.buckets.get", PROJECT), "the basic role itself holds nothing on buckets"


def test_a_dataset_s_access_list_counts_as_its_policy(cloud: Cloud, access: AccessControl) -> None:
    path = f"{PROJECT}/datasets/dev_flights"
    entries = [{"role": "READER", "user_by_email": ROBOT.email}, {"role": "OWNER", "special_group": "projectOwners"}]
    cloud.put("google_bigquery_dataset", path, "acme-ml-dev", {"access": entries})
    assert access.allows(ROBOT, "bigquery.tables.getData", f"{path}/tables/flights")
    assert not access.allows(ROBOT, "bigquery.tables.updateData", f"{path}/tables/flights")
    assert access.allows(PERSON, "bigquery.tables.updateData", f"{path}/tables/flights")


def test_the_person_owns_projects_and_billing_accounts(access: AccessControl) -> None:
    assert access.allows(PERSON, "iam.serviceAccounts.create", PROJECT)
    assert access.allows(PERSON, "billing.budgets.create", "billingAccounts/01-02-03")
    assert not access.allows(ANNA, "billing.budgets.create", "billingAccounts/01-02-03/budgets/1")
    assert access.allows(ANYONE, "billing.budgets.create", "billingAccounts/01-02-03")


def test_allusers_are_everybody_and_authenticated_ones_are_not_the_anonymous(
    cloud: Cloud, access: AccessControl
) -> None:
    grant(cloud, "b/open", "roles/storage.objectViewer", "allUsers")
    grant(cloud, "b/known", "roles/storage.objectViewer", "allAuthenticatedUsers")
    assert access.allows(ANONYMOUS, "storage.objects.get", "b/open/o/x")
    assert not access.allows(ANONYMOUS, "storage.objects.get", "b/known/o/x")
    assert access.allows(ANNA, "storage.objects.get", "b/known/o/x")


@pytest.mark.parametrize(
    "member",
    [
        f"deleted:{ROBOT.member}?uid=1",
        "serviceAccount:ROBOT@acme-ml-dev.iam.gserviceaccount.com",
        f"user:{ROBOT.email}",
        "domain:example.com",
        "group:robots@example.com",
    ],
)
def test_members_that_are_somebody_else_do_not_match(cloud: Cloud, access: AccessControl, member: str) -> None:
    grant(cloud, SECRET, ACCESSOR, member)
    assert not access.allows(ROBOT, GET, SECRET)


def test_domains_and_groups_match_people(cloud: Cloud, access: AccessControl) -> None:
    grant(cloud, SECRET, ACCESSOR, "domain:example.com")
    grant(cloud, f"{PROJECT}/secrets/other", ACCESSOR, "group:oncalls@example.com")
    assert access.allows(ANNA, GET, SECRET)
    assert access.allows(identity("oncall", "any"), GET, f"{PROJECT}/secrets/other")
    assert not access.allows(ANNA, GET, f"{PROJECT}/secrets/other")


POOL = "iam.googleapis.com/projects/412345678901/locations/global/workloadIdentityPools"
PUSH = Caller(
    f"principal://{POOL}/dev-git/subject/repo:acme/fonderie:ref:refs/heads/main",
    {"attribute.repository": "acme/fonderie", "attribute.ref": "refs/heads/main"},
)


@pytest.mark.parametrize(
    ("member", "allowed"),
    [
        (f"principalSet://{POOL}/dev-git/attribute.repository/acme/fonderie", True),
        (f"principalSet://{POOL}/dev-git/attribute.ref/refs/heads/main", True),
        (f"principalSet://{POOL}/dev-git/*", True),
        (f"principal://{POOL}/dev-git/subject/repo:acme/fonderie:ref:refs/heads/main", True),
        (f"principalSet://{POOL.replace('412345678901', 'acme-ml-dev')}/dev-git/*", True),
        (f"principalSet://{POOL}/dev-git/attribute.repository/acme/fonderie-fork", False),
        (f"principalSet://{POOL}/dev-git/attribute.repository/acme", False),
        (f"principalSet://{POOL}/dev-git/attribute.actor/anna", False),
        (f"principalSet://{POOL}/dev-git-2/attribute.repository/acme/fonderie", False),
        (f"principalSet://{POOL.replace('412345678901', '1')}/dev-git/attribute.repository/acme/fonderie", False),
        (f"principal://{POOL}/dev-git/subject/repo:acme/fonderie", False),
    ],
)
def test_federated_callers_match_by_attribute(cloud: Cloud, access: AccessControl, member: str, allowed: bool) -> None:
    account = f"{PROJECT}/serviceAccounts/dev-apply@acme-ml-dev.iam.gserviceaccount.com"
    grant(cloud, account, "roles/iam.workloadIdentityUser", member)
    assert access.allows(PUSH, "iam.serviceAccounts.getAccessToken", account) is allowed


def test_a_pod_is_a_member_of_its_project_s_pool(cloud: Cloud, access: AccessControl) -> None:
    pod = "serviceAccount:acme-ml-dev.svc.id.goog[kubeflow/pipeline-runner]"
    account = f"{PROJECT}/serviceAccounts/dev-pipelines@acme-ml-dev.iam.gserviceaccount.com"
    grant(cloud, account, "roles/iam.workloadIdentityUser", pod)
    assert access.allows(Caller(pod), "iam.serviceAccounts.getAccessToken", account)
    other = Caller("serviceAccount:acme-ml-dev.svc.id.goog[default/pipeline-runner]")
    assert not access.allows(other, "iam.serviceAccounts.getAccessToken", account)


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ("resource.name.startsWith('projects/_/buckets/acme-state/objects/dev/')", True),
        ("resource.name.startsWith('projects/_/buckets/acme-state/objects/prod/')", False),
        ("resource.name.endsWith('.tflock')", True),
        ("request.time < timestamp('2026-07-01T00:00:00Z')", True),
        ("request.time < timestamp('2026-05-01T00:00:00Z')", False),
        ("resource.type == 'storage.googleapis.com/Object' && resource.service == 'storage.googleapis.com'", True),
        ("resource.type == 'storage.googleapis.com/Bucket'", False),
    ],
)
def test_a_condition_decides(cloud: Cloud, access: AccessControl, condition: str, allowed: bool) -> None:
    grant(cloud, "b/acme-state", "roles/storage.objectUser", ROBOT.member, condition=condition)
    path = "b/acme-state/o/dev/default.tflock"
    assert access.allows(ROBOT, "storage.objects.create", path) is allowed


@pytest.mark.parametrize(
    "condition", ["resource.matchTag('1/env', 'prod')", "device.encrypted", "resource.name.extract('{x}') == 'y'", "1"]
)
def test_a_condition_that_cannot_be_evaluated_grants_nothing_and_is_named(
    cloud: Cloud, access: AccessControl, condition: str
) -> None:
    grant(cloud, SECRET, ACCESSOR, ROBOT.member, condition=condition)
    with pytest.raises(DeniedError, match="cannot judge the condition") as caught:
        access.demand(ROBOT, [GET], SECRET)
    assert condition in str(caught.value)
    grant(cloud, SECRET, ACCESSOR, ROBOT.member)
    access.demand(ROBOT, [GET], SECRET)


def test_a_role_of_which_nothing_is_known_grants_nothing_and_is_named(cloud: Cloud, access: AccessControl) -> None:
    grant(cloud, SECRET, "roles/secretmanager.admin", ROBOT.member)
    with pytest.raises(DeniedError, match=r"cannot judge the role roles/secretmanager\.admin"):
        access.demand(ROBOT, [GET], SECRET)


def test_an_administrator_of_listed_roles_grants_those_only(cloud: Cloud, access: AccessControl) -> None:
    name = "iam.googleapis.com/modifiedGrantsByRole"
    condition = f"api.getAttribute('{name}', []).hasOnly(['roles/aiplatform.user', 'roles/logging.logWriter'])"
    grant(cloud, PROJECT, "roles/resourcemanager.projectIamAdmin", ROBOT.member, condition=condition)
    permission = "resourcemanager.projects.setIamPolicy"
    assert access.allows(ROBOT, permission, PROJECT, attributes={name: ["roles/logging.logWriter"]})
    assert not access.allows(ROBOT, permission, PROJECT, attributes={name: ["roles/owner"]})
    assert not access.allows(ROBOT, permission, PROJECT, attributes={name: ["roles/logging.logWriter", "roles/editor"]})
    assert access.allows(ROBOT, "resourcemanager.projects.getIamPolicy", PROJECT), "what changes no grant is allowed"


def test_a_grant_takes_effect_after_the_propagation(cloud: Cloud) -> None:
    cloud.history_s = 60.0
    later = AccessControl(cloud, Clock(now=lambda: datetime.now(UTC) + timedelta(seconds=61)), 60.0)
    now = AccessControl(cloud, Clock(), 60.0)
    grant(cloud, SECRET, ACCESSOR, ANNA.member)
    grant(cloud, SECRET, ACCESSOR, ROBOT.member)
    assert not now.allows(ROBOT, GET, SECRET)
    assert not now.allows(ANNA, GET, SECRET)
    assert later.allows(ROBOT, GET, SECRET)
    assert AccessControl(cloud).allows(ROBOT, GET, SECRET), "without a propagation it holds at once"


def test_names_of_identities() -> None:
    assert identity("plan", "acme-ml-dev").member == "serviceAccount:dev-plan@acme-ml-dev.iam.gserviceaccount.com"
    assert identity("person", "anything") == PERSON
    assert identity("user:anna@example.com", "x") == ANNA
    with pytest.raises(BadInputError, match="unknown identity 'planner'"):
        identity("planner", "acme-ml-dev")
    with pytest.raises(BadInputError, match="'plan' is not known in project 'elsewhere'"):
        identity("plan", "elsewhere")


@pytest.mark.parametrize(("alias", "section"), [("engineer", "engineers"), ("oncall", "oncall")])
def test_the_people_of_an_environment_are_those_of_its_settings(alias: str, section: str) -> None:
    env = load_environment("dev")
    (group,) = getattr(env.people, section)
    caller = identity(alias, env.project_id)
    assert f"group:{caller.attributes['groups']}" == group
    assert caller.member == f"user:{alias}@example.com"
    assert identity(alias, "elsewhere").attributes["groups"] not in group, "nobody's group is nobody's"


def test_a_person_whom_the_settings_name_is_that_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dev.toml").write_text('project_id = "p"\n[people]\noncall = ["user:ada@acme.example", "group:x@y"]\n')
    known = environments.__wrapped__(tmp_path)
    monkeypatch.setattr("fonderie.sandbox.iam.caller.environments", lambda: known)
    assert identity("oncall", "p") == Caller("user:ada@acme.example")


def test_what_was_judged_is_listed_once_and_a_question_is_not(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    access = AccessControl(cloud, calls=CallLog(file))
    with pytest.raises(DeniedError):
        access.demand(ROBOT, [GET], SECRET)
    assert access.allows(PERSON, GET, SECRET)
    assert access.allows(PERSON, GET, SECRET)
    access.holds(ROBOT, "secretmanager.secrets.delete", SECRET)

    lines = file.read_text().splitlines()
    assert [json.loads(line)["allowed"] for line in lines] == [False, True]
    owner = Grant(PROJECT, "roles/owner", PERSON.member)
    assert [Demand.read(line) for line in lines] == [
        Demand(ROBOT, (GET,), SECRET, {GET: []}),
        Demand(PERSON, (GET,), SECRET, {GET: [owner]}),
    ]


def test_what_was_judged_says_every_grant_that_gave_it_then(cloud: Cloud, tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    access = AccessControl(cloud, calls=CallLog(file))
    wanted = [Grant(SECRET, ACCESSOR, ROBOT.member), Grant(PROJECT, ACCESSOR, ROBOT.member)]
    for count in (1, 2):
        grant(cloud, wanted[count - 1].path, ACCESSOR, ROBOT.member)
        assert access.allows(ROBOT, GET, SECRET)
    grant(cloud, SECRET, ACCESSOR, ROBOT.member, condition='request.time < timestamp("2001-01-01T00:00:00Z")')
    assert access.allows(ROBOT, GET, SECRET)

    first, second = (Demand.read(line) for line in file.read_text().splitlines())
    assert (first.grants, second.grants) == ({GET: wanted[:1]}, {GET: wanted})
