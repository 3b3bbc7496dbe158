import subprocess
import sys
from pathlib import Path

import pytest

from fonderie.core.errors import BadInputError
from fonderie.core.resource_types import TABLE, read_table, resource_type, resource_types, types_in_use


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "types.toml"
    path.write_text(text)
    return path


def test_a_row_is_read_whole(tmp_path: Path) -> None:
    text = '[in_use.google_x_y]\nwritten = "bootstrap"\nprotected_by = { p = "PREVENT", q = true }\npermanent = true\n'
    row = read_table(table(tmp_path, text))["google_x_y"]
    assert (row.in_use, row.written, row.permanent) == (True, "bootstrap", True)
    assert dict(row.protected_by) == {"p": "PREVENT", "q": True}
    assert (row.word, row.holds, row.lost) == ("x y", "", "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[in_use.google_x]\nread = []", r"types\.toml: google_x\.read: unknown key"),
        ('[in_use.google_x]\nname = "y"', r"google_x\.name: unknown key"),
        ("[in_use.google_x]\nin_use = false", r"google_x\.in_use: unknown key"),
        ("[in_use.google_x]\nwritten = true", r"google_x\.written: is True, not str"),
        ("[in_use.google_x]\nword = [1]", r"google_x\.word: is \[1\], not str"),
        ("[in_use.google_x]\nfree = 1", r"google_x\.free: is 1, not bool"),
        ("[in_use.google_x]\nchildren = { a = [] }", r"google_x\.children: is .*, not Mapping"),
        ("[in_use]\ngoogle_x = true", "google_x: not a row of this table"),
        ('[others]\ngoogle_x = { written = "nobody" }', "google_x: not a row of this table"),
        ("[others]\ngoogle_x = true", "google_x: not a row of this table"),
        ("[other.google_x]\nfree = true", "unknown table other"),
        ("[in_use.google_x]\n[others]\ngoogle_x = { free = true }", "two rows of google_x"),
        ("[in_use", "not a table of resource types"),
    ],
)
def test_what_is_no_row_is_refused_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BadInputError, match=problem):
        read_table(table(tmp_path, text))


def test_a_file_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"none\.toml: not a table of resource types"):
        read_table(tmp_path / "none.toml")


def test_a_type_without_a_row_says_only_its_name_and_that_it_may_hold_anything() -> None:
    row = resource_type("google_dataflow_job")
    assert (row.word, row.in_use, row.written, row.iam_target) == ("dataflow job", False, "", "")
    assert row.lost == "whatever it holds: a type that is not known here"


@pytest.mark.parametrize(
    "name",
    ["google_compute_region_disk", "google_compute_instance", "google_spanner_database", "google_firestore_database",
     "google_bigtable_table", "google_alloydb_cluster", "google_compute_snapshot", "google_kms_crypto_key_version",
     "google_secret_manager_regional_secret", "aws_s3_bucket", "random_password", "kubernetes_persistent_volume_claim"],
)  # fmt: skip
def test_what_is_not_known_to_be_stateless_counts_as_stateful(name: str) -> None:
    assert resource_type(name).lost


@pytest.mark.parametrize(
    "name",
    ["google_folder_iam_member", "google_pubsub_topic_iam_binding", "google_compute_instance_group_membership",
     "google_compute_disk_resource_policy_attachment", "terraform_data", "null_resource", "google_compute_firewall"],
)  # fmt: skip
def test_what_only_links_or_computes_is_stateless(name: str) -> None:
    assert resource_type(name).lost == ""


def test_every_row_says_something_and_nothing_twice() -> None:
    for row in resource_types().values():
        assert row.in_use or row.word or row.lost or row.usage or row.free
        assert not (row.holds and row.identity), row.name
        assert not (row.free and row.usage), row.name
        assert bool(row.contents) <= bool(row.takes_along), row.name
        assert row.always_keyed <= bool(row.key), row.name


def test_a_dashboard_is_all_in_its_configuration_and_a_key_and_a_topic_are_not() -> None:
    assert resource_type("google_monitoring_dashboard").lost == ""
    assert resource_type("google_kms_crypto_key").holds
    assert resource_type("google_pubsub_topic").holds
    assert not resource_type("google_service_account").holds  # a deploy brings it back; what others granted it is stale
    assert resource_type("google_service_account").lost


def test_parents_stand_before_what_lies_in_them() -> None:
    names = list(resource_types())
    assert names.index("google_kms_key_ring") < names.index("google_kms_crypto_key")
    for index, name in enumerate(names):
        assert not [other for other in names[:index] if other.startswith(f"{name}_") and resource_type(name).in_use]


def test_the_makefile_counts_the_types_in_use() -> None:
    lines = TABLE.read_text().splitlines()
    assert sum(line.startswith("[in_use.") for line in lines) == len(types_in_use())


def test_reading_the_table_takes_no_library() -> None:
    probe = "import sys, fonderie.core.resource_types as t; t.resource_types(); print('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout == "False\n"
