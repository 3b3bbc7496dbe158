import json

import pytest

from tests.unit.ci.preview.plans import change, comment, preview

SERVING = "serviceAccount:serving@acme-prod.iam.gserviceaccount.com"


def member(action, before=None, after=None, name="m", kind="storage_bucket", **more):
    common = (
        {"bucket": "acme-models", "member": SERVING}
        if kind == "storage_bucket"
        else {"project": "acme-prod", "member": SERVING}
    )
    return change(
        f"google_{kind}_iam_member.{name}",
        action,
        common | before if before is not None else None,
        common | after if after is not None else None,
        **more,
    )


def said(*entries):
    """Each change of access: verb, role, note, alarm."""
    return [(grant.verb, grant.role, grant.note, grant.alarm) for grant in preview(*entries).access]


def test_a_new_grant_in_words():
    (grant,) = preview(member("create", None, {"role": "roles/storage.objectUser"})).access
    assert (grant.subject, grant.verb, grant.role, grant.resource) == (
        "serving", "gains", "roles/storage.objectUser", "bucket acme-models")  # fmt: skip
    assert "`serving` gains **`roles/storage.objectUser`** on bucket `acme-models`" in comment(
        member("create", None, {"role": "roles/storage.objectUser"})
    )


def test_a_lost_grant():
    assert said(member("delete", {"role": "roles/storage.objectUser"})) == [
        ("loses", "roles/storage.objectUser", "", "")
    ]


def test_a_wider_role_says_what_it_was():
    entry = member("replace", {"role": "roles/storage.objectViewer"}, {"role": "roles/storage.objectAdmin"})
    assert said(entry) == [
        ("gains", "roles/storage.objectAdmin", "had roles/storage.objectViewer", "wider than before")
    ]


def test_a_narrower_role_is_no_alarm():
    entry = member("replace", {"role": "roles/storage.objectAdmin"}, {"role": "roles/storage.objectViewer"})
    assert said(entry) == [("gains", "roles/storage.objectViewer", "had roles/storage.objectAdmin", "")]


def test_widening_is_seen_over_two_resources():
    entries = (member("delete", {"role": "roles/storage.objectViewer"}, name="a"),
               member("create", None, {"role": "roles/storage.admin"}, name="b"))  # fmt: skip
    assert [grant[3] for grant in said(*entries)] == ["wider than before"]


def test_a_grant_that_only_moves_to_another_address_is_no_change():
    entries = (
        member("delete", {"role": "roles/x.user"}, name="a"),
        member("create", None, {"role": "roles/x.user"}, name="b"),
    )
    assert said(*entries) == []


def test_a_condition_taken_away_is_wider():
    condition = [{"expression": 'resource.name == "x"', "title": "t"}]
    entry = member(
        "replace", {"role": "roles/x.user", "condition": condition}, {"role": "roles/x.user", "condition": []}
    )
    ((_, _, note, alarm),) = said(entry)
    assert "condition was" in note
    assert alarm == "wider than before"


@pytest.mark.parametrize("who", ["allUsers", "allAuthenticatedUsers"])
def test_the_public_is_an_alarm(who):
    entry = change(
        "google_storage_bucket_iam_member.m", "create", None, {"bucket": "b", "member": who, "role": "roles/x.viewer"}
    )
    assert said(entry)[0][3].startswith("PUBLIC")
    assert "⚠️" in comment(entry).split("\n")[2]


@pytest.mark.parametrize("role", ["roles/owner", "roles/editor", "roles/viewer"])
def test_a_primitive_role_is_an_alarm(role):
    assert "PRIMITIVE ROLE" in said(member("create", None, {"role": role}, kind="project"))[0][3]


def test_a_binding_is_read_member_by_member():
    before = {"bucket": "b", "role": "roles/x.user", "members": ["user:a@x.io", "user:b@x.io"]}
    after = before | {"members": ["user:b@x.io", "user:c@x.io"]}
    found = preview(change("google_storage_bucket_iam_binding.m", "update", before, after)).access
    assert [(grant.verb, grant.subject) for grant in found] == [("gains", "user:c@x.io"), ("loses", "user:a@x.io")]


def test_a_whole_policy_is_read_binding_by_binding():
    def policy(who):
        return {"bucket": "b", "policy_data": json.dumps({"bindings": [{"role": "roles/x.user", "members": who}]})}

    entry = change("google_storage_bucket_iam_policy.m", "update", policy(["user:a@x.io"]), policy(["allUsers"]))
    assert [(g.verb, g.subject) for g in preview(entry).access] == [("gains", "allUsers"), ("loses", "user:a@x.io")]


def test_the_access_list_of_a_dataset_is_read_entry_by_entry():
    def dataset(*entries):
        return {"dataset_id": "dev_flights", "access": [{"role": "OWNER", "special_group": "projectOwners"}, *entries]}

    plan = {"role": "READER", "user_by_email": "dev-plan@acme.iam.gserviceaccount.com", "special_group": ""}
    group = {"role": "WRITER", "group_by_email": "ml@acme.com"}
    entry = change("google_bigquery_dataset.d", "update", dataset(plan), dataset({**plan, "role": "WRITER"}, group))
    assert [(g.verb, g.subject, g.role, g.resource, g.note) for g in preview(entry).access] == [
        ("gains", "dev-plan", "WRITER", "dataset dev_flights", "had READER"),
        ("gains", "ml@acme.com", "WRITER", "dataset dev_flights", ""),
    ]


def test_a_dataset_whose_access_stays_or_is_not_known_says_nothing():
    access = [{"role": "READER", "user_by_email": "a@acme.com"}]
    assert said(change("google_bigquery_dataset.d", "update", {"access": access, "x": 1}, {"access": access})) == []
    created = change("google_bigquery_dataset.d", "create", None, {"dataset_id": "d"}, unknown={"access": True})
    assert said(created) == []


def test_a_member_known_later_says_so():
    entry = change(
        "google_project_iam_member.m",
        "create",
        None,
        {"project": "p", "role": "roles/x.user"},
        unknown={"member": True},
    )
    assert preview(entry).access[0].subject == "(known after apply)"


DOORS = {
    "key": change("google_service_account_key.k", "create", None, {}),
    "firewall": change(
        "google_compute_firewall.f", "update",
        {"source_ranges": ["10.0.0.0/8"], "allow": [{"protocol": "tcp"}], "direction": "INGRESS"},
        {"source_ranges": ["0.0.0.0/0"], "allow": [{"protocol": "tcp"}], "direction": "INGRESS"}),
    "prevention": change(
        "google_storage_bucket.b", "update",
        {"public_access_prevention": "enforced"}, {"public_access_prevention": "inherited"}),
    "dataset": change(
        "google_bigquery_dataset.d", "update",
        {"access": []}, {"access": [{"special_group": "allAuthenticatedUsers", "role": "READER"}]}),
    "federation": change(
        "google_iam_workload_identity_pool_provider.p", "update",
        {"attribute_condition": "a == b"}, {"attribute_condition": "true"}),
    "invoker": change(
        "google_cloud_run_v2_service.s", "update", {"invoker_iam_disabled": False}, {"invoker_iam_disabled": True}),
}  # fmt: skip


@pytest.mark.parametrize("entry", DOORS.values(), ids=DOORS)
def test_doors_that_are_not_grants_are_alarms(entry):
    (grant,) = preview(entry).access
    assert grant.alarm


def test_a_door_that_was_open_is_no_news():
    value = {"source_ranges": ["0.0.0.0/0"], "allow": [{"protocol": "tcp"}]}
    assert said(change("google_compute_firewall.f", "update", value, value | {"priority": 5})) == []
