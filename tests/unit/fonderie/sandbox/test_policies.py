import threading

import pytest

from fonderie.sandbox.lifecycle.interface import ApiError, State
from tests.unit.fonderie.sandbox.google import PROJECT, Google

MEMBER = "google_project_iam_member"
CONDITION = [{"title": "t", "description": "", "expression": "request.time < timestamp('2030-01-01T00:00:00Z')"}]


@pytest.fixture
def google(fresh: Google) -> Google:
    fresh.enable("iam", "cloudresourcemanager", "pubsub")
    return fresh


def grant(google: Google, member: str, **more: object) -> State:
    return google.make(MEMBER, role="roles/viewer", member=member, **more)


def test_other_members_and_etags_never_show_as_a_difference(google: Google) -> None:
    first = grant(google, "user:a@example.com")
    grant(google, "user:b@example.com")
    seen = google.read(MEMBER, first)
    assert seen is not None
    assert {name: value for name, value in seen.items() if name != "etag"} == {
        name: value for name, value in first.items() if name != "etag"
    }
    assert seen["etag"] != first["etag"]


def test_a_condition_is_part_of_a_membership(google: Google) -> None:
    with_condition = grant(google, "user:a@example.com", condition=CONDITION)
    assert with_condition["id"].endswith("/user:a@example.com/t//request.time < timestamp('2030-01-01T00:00:00Z')")
    other = [{**CONDITION[0], "expression": "true"}]
    assert google.read(MEMBER, {**with_condition, "condition": other}) is None
    assert google.read(MEMBER, {**with_condition, "condition": []}) is None
    assert google.bring(MEMBER, f"{PROJECT} roles/viewer user:a@example.com t") is not None


def test_a_deleted_account_is_no_member_any_more_nor_when_it_comes_back(google: Google) -> None:
    account = google.make("google_service_account", account_id="abcdef")
    state = grant(google, account["member"])
    google.delete("google_service_account", account)
    assert google.read(MEMBER, state) is None
    (binding,) = google.world.cloud.policy(f"projects/{PROJECT}")[1]["bindings"]
    assert binding["members"] == [f"deleted:serviceAccount:{account['email']}?uid={account['unique_id']}"]
    google.make("google_service_account", account_id="abcdef")
    assert google.read(MEMBER, state) is None


def test_a_membership_goes_with_its_object(google: Google) -> None:
    topic = google.make("google_pubsub_topic", name="t")
    state = google.make("google_pubsub_topic_iam_member", topic="t", role="roles/viewer", member="user:a@example.com")
    google.delete("google_pubsub_topic", topic)
    assert google.read("google_pubsub_topic_iam_member", state) is None
    google.delete("google_pubsub_topic_iam_member", state)
    with pytest.raises(ApiError, match="Error 404"):
        google.make("google_pubsub_topic_iam_member", topic="t", role="roles/viewer", member="user:a@example.com")


def test_a_name_and_a_path_are_the_same_object(google: Google) -> None:
    google.make("google_pubsub_topic", name="t")
    by_name = google.make("google_pubsub_topic_iam_member", topic="t", role="r", member="user:a@example.com")
    path = f"projects/{PROJECT}/topics/t"
    by_path = google.make("google_pubsub_topic_iam_member", topic=path, role="r", member="user:a@example.com")
    assert by_name["id"] == by_path["id"] == f"{path}/r/user:a@example.com"


def test_a_binding_holds_its_members_and_no_others(google: Google) -> None:
    grant(google, "user:a@example.com")
    members = ["user:b@example.com", "user:c@example.com"]
    state = google.make("google_project_iam_binding", role="roles/viewer", members=members)
    (binding,) = google.world.cloud.policy(f"projects/{PROJECT}")[1]["bindings"]
    assert binding["members"] == members
    grant(google, "user:d@example.com")
    seen = google.read("google_project_iam_binding", state)
    assert seen is not None
    assert seen["members"] == [*members, "user:d@example.com"]
    google.delete("google_project_iam_binding", state)
    assert google.read("google_project_iam_binding", state) is None


def test_an_audit_config_stands_beside_the_bindings(google: Google) -> None:
    logs = [{"log_type": "DATA_READ", "exempted_members": []}]
    given = {"project": PROJECT, "service": "storage.googleapis.com", "audit_log_config": logs}
    state = google.make("google_project_iam_audit_config", **given)
    grant(google, "user:a@example.com")
    assert state["id"] == f"{PROJECT}/audit_config/storage.googleapis.com"
    seen = google.read("google_project_iam_audit_config", state)
    assert seen is not None
    assert seen["audit_log_config"] == logs
    google.delete("google_project_iam_audit_config", state)
    assert google.read("google_project_iam_audit_config", state) is None


def test_many_writers_in_two_processes_lose_no_member(google: Google) -> None:
    both = [google, google.later()]

    def write(number: int) -> None:
        grant(both[number % 2], f"user:{number}@example.com")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    (binding,) = google.world.cloud.policy(f"projects/{PROJECT}")[1]["bindings"]
    assert len(binding["members"]) == 20


def test_a_policy_of_another_version_is_not_overwritten(google: Google) -> None:
    cloud = google.world.cloud
    version, policy = cloud.policy("projects/p")
    assert cloud.set_policy("projects/p", policy, version=version)
    assert not cloud.set_policy("projects/p", {"bindings": ["stale"]}, version=version)
    assert cloud.policy("projects/p")[1] == policy
