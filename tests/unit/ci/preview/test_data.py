"""Updates that lose data: each row of the table from each side, and what the first line says."""

import json
import re

import pytest

from ci.preview.infrastructure.data import ROWS, goes
from tests.unit.ci.preview.plans import change, comment, preview

BUCKET = "google_storage_bucket.raw"


def rule(days, **condition):
    return {"action": [{"type": "Delete", "storage_class": ""}], "condition": [{"age": days, "with_state": "ANY",
            **condition}]}  # fmt: skip


def lost(before, after, address=BUCKET, **more):
    """What an update loses, in words."""
    return [alarm.lost for alarm in preview(change(address, "update", before, after, **more)).data]


def test_one_day_of_retention_instead_of_180_is_said_in_the_first_line():
    entry = change(BUCKET, "update", {"lifecycle_rule": [rule(180)]}, {"lifecycle_rule": [rule(1)]})
    assert [alarm.lost for alarm in preview(entry).data] == ["objects older than 1 day are deleted, was 180 days"]
    first = next(line for line in comment(entry).split("\n") if line.startswith("###"))
    assert "⚠️" in first
    assert "1 data alarm" in first
    assert "objects older than 1 day are deleted, was 180 days" in comment(entry)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([], [rule(30)], "objects older than 30 days are deleted, were kept"),
        ([rule(30)], [{"action": [{"type": "Delete"}], "condition": [{}]}],
         "objects of any age are deleted, was 30 days"),
        ([rule(30, matches_prefix=["tmp/"])], [rule(30)], "objects older than 30 days are deleted, were kept"),
        ([], [rule(7, num_newer_versions=3)],
         "noncurrent versions older than 7 days are deleted (where num_newer_versions = 3), were kept"),
    ],
)  # fmt: skip
def test_a_rule_that_deletes_more_is_an_alarm(before, after, said):
    assert lost({"lifecycle_rule": before}, {"lifecycle_rule": after}) == [said]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([rule(30)], [rule(60)]),
        ([rule(30)], []),
        ([rule(30)], [rule(30)]),
        ([rule(30), rule(90)], [rule(90), rule(30)]),
        ([], [{"action": [{"type": "SetStorageClass"}], "condition": [{"age": 1}]}]),
        ([{"action": [{"type": "Delete"}], "condition": [{}]}], [rule(1)]),
    ],
)
def test_a_rule_that_deletes_less_or_the_same_is_none(before, after):
    assert lost({"lifecycle_rule": before}, {"lifecycle_rule": after}) == []


def column(name, *fields, tag=None):
    return {"name": name, "fields": list(fields)} | ({"policyTags": {"names": [tag]}} if tag else {})


def test_a_dropped_column_is_named_and_a_record_once():
    before = [column("a"), column("b"), column("r", column("x"), column("y"))]
    table = "google_bigquery_table.t"
    assert lost({"schema": json.dumps(before)}, {"schema": json.dumps(before[:1])}, table) == [
        "columns b, r dropped with every value"
    ]
    inner = [column("a"), column("b"), column("r", column("x"))]
    assert lost({"schema": json.dumps(before)}, {"schema": json.dumps(inner)}, table) == [
        "column r.y dropped with every value"
    ]
    assert lost({"schema": json.dumps(before[:1])}, {"schema": json.dumps(before)}, table) == []


def test_a_column_without_its_policy_tag_is_exposed():
    before, after = (json.dumps([column("who", tag=tag)]) for tag in ("pii", None))
    assert lost({"schema": before}, {"schema": after}, "google_bigquery_table.t") == [
        "who may be read without a policy tag"
    ]


CASES = {
    "versioning": (BUCKET, {"versioning": [{"enabled": True}]}, {"versioning": [{"enabled": False}]}),
    "versioning_block": (BUCKET, {"versioning": [{"enabled": True}]}, {"versioning": []}),
    "soft_delete_off": (BUCKET, {"soft_delete_policy": []},
                        {"soft_delete_policy": [{"retention_duration_seconds": 0}]}),
    "retention": (BUCKET, {"retention_policy": [{"retention_period": 86400}]}, {"retention_policy": []}),
    "force_destroy": (BUCKET, {"force_destroy": False}, {"force_destroy": True}),
    "table_expiration": ("google_bigquery_dataset.d", {"default_table_expiration_ms": None},
                         {"default_table_expiration_ms": 3600000}),
    "partition_expiration": ("google_bigquery_table.t", {"time_partitioning": [{"expiration_ms": 0}]},
                             {"time_partitioning": [{"expiration_ms": 86400000}]}),
    "time_travel": ("google_bigquery_dataset.d", {"max_time_travel_hours": ""}, {"max_time_travel_hours": "48"}),
    "protection": ("google_bigquery_table.t", {"deletion_protection": True}, {"deletion_protection": False}),
    "policy": ("google_pubsub_topic.t", {"deletion_policy": "PREVENT"}, {"deletion_policy": "DELETE"}),
    "secret_version": ("google_secret_manager_secret_version.v", {"enabled": True}, {"enabled": False}),
    "secret_ttl": ("google_secret_manager_secret.s", {"ttl": None}, {"ttl": "3600s"}),
    "key_version": ("google_kms_crypto_key_version.v", {"state": "ENABLED"}, {"state": "DISABLED"}),
    "topic": ("google_pubsub_topic.t", {"message_retention_duration": "604800s"}, {"message_retention_duration": None}),
    "sql_backups": ("google_sql_database_instance.s",
                    {"settings": [{"backup_configuration": [{"enabled": True}]}]},
                    {"settings": [{"backup_configuration": [{"enabled": False}]}]}),
    "logs": ("google_logging_project_bucket_config.l", {"retention_days": 400}, {"retention_days": 30}),
    "key": (BUCKET, {"encryption": [{"default_kms_key_name": "projects/p/k"}]}, {"encryption": []}),
    "ddl": ("google_spanner_database.s", {"ddl": ["CREATE TABLE t"]}, {"ddl": ["CREATE TABLE t", "DROP TABLE t"]}),
    "family": ("google_bigtable_table.b", {"column_family": [{"family": "a"}]}, {"column_family": []}),
}  # fmt: skip


@pytest.mark.parametrize(("address", "before", "after"), CASES.values(), ids=CASES)
def test_what_protects_data_less_is_an_alarm_and_the_way_back_is_none(address, before, after):
    found = lost(before, after, address)
    assert len(found) == 1, found
    assert lost(after, before, address) == []


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.type} {row.path}" for row in ROWS])
def test_each_row_says_no_when_nothing_changes_and_yes_for_some_pair(row):
    values = [None, 0, 1, 5, 10**9, True, False, "x", "ENABLED", "PREVENT", "ABANDON", "PROTECTED", "DISABLED", "600s",
              "POINT_IN_TIME_RECOVERY_ENABLED", "DELETE_PROTECTION_ENABLED", [1], []]  # fmt: skip
    assert not any(row.worse(value, value) for value in values)
    assert any(row.worse(one, other) for one in values for other in values)
    assert re.compile(row.type)
    if row.worse is not goes:
        assert not all(row.worse(one, other) for one in values for other in values if one != other)


def test_a_value_known_after_apply_is_not_guessed():
    assert lost({"ttl": None}, {}, "google_secret_manager_secret.s", unknown={"ttl": True}) == []


def test_the_destroy_of_what_guards_others_is_an_alarm():
    entry = change("google_compute_disk_resource_policy_attachment.a", "delete", {"disk": "d"})
    assert [alarm.lost for alarm in preview(entry).data] == ["the disk has no snapshots any more"]


def test_a_secret_in_a_lost_column_stays_hidden():
    before = json.dumps([column("hunter2hunter2")])
    table = change("google_bigquery_table.t", "update", {"schema": before, "p": "hunter2hunter2"}, {"schema": "[]"},
                   before_sensitive={"p": True})  # fmt: skip
    assert "hunter2hunter2" not in comment(table)
