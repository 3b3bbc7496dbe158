"""What changed outside Terraform, and what only looks so.

`normalised.json`: what the state of hashicorp/google 7.45.0 holds after create, and after the first refresh with
nothing touched, recorded for 38 types.
"""

import json
from pathlib import Path

import pytest

from ci.preview.infrastructure.outside import changed_outside
from ci.preview.masking.secrets import Masker
from ci.preview.masking.values import Reader
from ci.preview.render.document import markdown
from ci.preview.render.sections import outside
from tests.unit.ci.preview.plans import change, plan, preview

RECORDED = json.loads((Path(__file__).parents[3] / "data" / "google" / "normalised.json").read_text())
FILLED = RECORDED.pop("_filled_by_other_resources")
PATHS = [(kind, path, *pair) for kind, paths in RECORDED.items() for path, pair in paths.items()]


def at(path, value):
    """A resource's values with `value` at `a[].b`."""
    for step in reversed(path.split(".")):
        name, block = step.removesuffix("[]"), step.endswith("[]")
        value = {name: [value] if block else value}
    return value


def configuration(*addresses, **arguments):
    resources = [{"address": address, "type": address.split(".")[0], "expressions": arguments} for address in addresses]
    return {"configuration": {"root_module": {"resources": resources}}}


def told(*drifted, **more):
    read = plan(resource_drift=list(drifted), **more)
    return changed_outside(read, Reader(Masker([read])))


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(("kind", "path", "created", "refreshed"), PATHS)
def test_what_the_provider_fills_in_at_the_first_refresh_is_no_drift(kind, path, created, refreshed, swapped):
    before, after = (refreshed, created) if swapped else (created, refreshed)
    entry = change(f"{kind}.x", "update", at(path, before), at(path, after))
    assert told(entry, **configuration(f"{kind}.x")) == []
    assert told(entry), "without its configuration nothing is known of it"


def test_zero_that_the_configuration_sets_is_told_when_it_is_gone():
    entry = change("google_storage_bucket.x", "update", at("rule[].age", 0), at("rule[].age", None))
    rule = [{"age": {"constant_value": 0}}, {"age": {"constant_value": 30}}]
    (found,) = told(entry, **configuration("google_storage_bucket.x", rule=rule))
    assert [(item.path, item.before, item.after) for item in found.attributes] == [("rule.age", "0", "null")]


def test_a_reference_may_be_anything():
    entry = change("google_pubsub_topic.x", "update", {"labels": None}, {"labels": {}})
    assert told(entry, **configuration("google_pubsub_topic.x", labels={"references": ["var.labels"]}))


def test_models_that_our_own_command_deploys_on_an_endpoint_are_no_drift():
    bare = {"display_name": "a", "deployed_models": [], "traffic_split": ""}
    served = {"display_name": "a", "deployed_models": [{"id": "105"}], "traffic_split": '{"105": 100}'}
    kind = "google_vertex_ai_endpoint.x"
    assert told(change(kind, "update", bare, served), **configuration(kind)) == []
    renamed = change(kind, "update", bare, served | {"display_name": "b"})
    assert [item.path for item in told(renamed, **configuration(kind))[0].attributes] == ["display_name"]
    given = configuration(kind, traffic_split={"constant_value": "{}"})
    assert [item.path for item in told(change(kind, "update", bare, served), **given)[0].attributes] == [
        "traffic_split"
    ]


def test_another_value_is_told_whatever_the_configuration_says():
    for before, after in ((None, {"a": "b"}), (None, 1), (None, True), (0, 1), ([], ["x"]), (None, [{}])):
        assert told(
            change("google_thing.x", "update", {"a": before}, {"a": after}), **configuration("google_thing.x")
        ), (before, after)


def member(role, who, dataset="dev_flights"):
    values = {"dataset_id": dataset, "role": role, "member": who}
    return {"address": "google_bigquery_dataset_iam_member.m", "type": "google_bigquery_dataset_iam_member",
            "mode": "managed", "values": values}  # fmt: skip


def dataset(*access):
    return {"dataset_id": "dev_flights", "access": list(access)}


OWNER = {"role": "OWNER", "special_group": "projectOwners"}
OURS = {"role": "READER", "user_by_email": "p@demo-proj.iam.gserviceaccount.com", "group_by_email": ""}
MEMBERS = {
    "prior_state": {
        "values": {
            "root_module": {
                "resources": [
                    member("roles/bigquery.dataViewer", "serviceAccount:p@demo-proj.iam.gserviceaccount.com"),
                    member("roles/bigquery.dataEditor", "group:ml@acme.example", "dev_other"),
                ]
            }
        }
    }
}


def test_members_that_the_stack_itself_puts_into_a_dataset_are_no_drift():
    entry = change("google_bigquery_dataset.x", "update", dataset(OWNER), dataset(OWNER, OURS))
    assert told(entry, **configuration("google_bigquery_dataset.x"), **MEMBERS) == []


@pytest.mark.parametrize(
    "stranger",
    [
        {"role": "READER", "user_by_email": "someone@else.example"},
        {**OURS, "role": "WRITER"},
        {"role": "WRITER", "group_by_email": "ml@acme.example"},  # of another dataset
    ],
)
def test_a_stranger_in_a_datasets_access_list_is_told(stranger):
    entry = change("google_bigquery_dataset.x", "update", dataset(OWNER), dataset(OWNER, OURS, stranger))
    (found,) = told(entry, **configuration("google_bigquery_dataset.x"), **MEMBERS)
    assert [item.path for item in found.attributes] == ["access[1]"]


def test_access_that_the_configuration_sets_is_told():
    entry = change("google_bigquery_dataset.x", "update", dataset(OWNER), dataset(OWNER, OURS))
    assert told(entry, **configuration("google_bigquery_dataset.x", access=[{}]), **MEMBERS)


def test_node_pools_of_the_stack_are_no_drift_of_their_cluster_and_others_are():
    pool = {"address": "google_container_node_pool.p", "type": "google_container_node_pool", "mode": "managed",
            "values": {"name": "spot", "cluster": "projects/p/locations/r/clusters/dev-cluster"}}  # fmt: skip
    state = {"prior_state": {"values": {"root_module": {"resources": [pool]}}}}
    both = [{"name": "spot", "node_count": 1}, {"name": "mine", "node_count": 9}]
    for pools, expected in ((both[:1], 0), (both, 1)):
        after = {"name": "dev-cluster", "node_pool": pools}
        entry = change("google_container_cluster.c", "update", {"name": "dev-cluster", "node_pool": []}, after)
        assert len(told(entry, **configuration("google_container_cluster.c"), **state)) == expected


def test_every_attribute_that_others_fill_is_known():
    assert FILLED == {"google_bigquery_dataset": ["access"], "google_container_cluster": ["node_pool"]}


def test_what_opens_something_comes_first():
    entries = [
        change("google_a.x", "update", {"name": "a"}, {"name": "b"}),
        change("google_storage_bucket.z", "update",
               {"labels": {"a": "1"}, "public_access_prevention": "enforced"},
               {"labels": {"a": "2"}, "public_access_prevention": "inherited"}),
    ]  # fmt: skip
    first, second = told(*entries)
    assert (first.address, second.address) == ("google_storage_bucket.z", "google_a.x")
    assert first.attributes[0].path == "public_access_prevention"
    assert first.why == "may become PUBLIC"


def test_what_opens_something_comes_first_in_the_comment_over_all_stacks():
    from ci.preview.assemble import Material, assemble
    from ci.preview.render.comment import render

    harmless = change("google_a.x", "update", {"name": "a"}, {"name": "b"})
    bucket = change("google_storage_bucket.z", "update",
                    {"public_access_prevention": "enforced"}, {"public_access_prevention": "inherited"})  # fmt: skip
    plans = (plan(resource_drift=[harmless], stack="dev-a"), plan(resource_drift=[bucket], stack="dev-z"))
    lines = [line for line in render(assemble(Material(plans=plans))).split("\n") if line.startswith("- **prod**")]
    assert [line.split("`")[1] for line in lines] == ["google_storage_bucket.z", "google_a.x"]
    assert "may become PUBLIC" in lines[0]


def test_a_preview_leaves_what_is_nothing_out_beside_a_change():
    rule = {"before": {"rule": [{"age": 180, "days": 0}]}, "after": {"rule": [{"age": 90, "days": None}]}}
    entry = change("google_storage_bucket.b", "update", rule["before"], rule["after"])
    arguments = configuration("google_storage_bucket.b", rule=[{"age": {"constant_value": 90}}])
    shown = preview(entry, **arguments).stacks[0].changes[0].attributes
    assert [(item.path, item.after) for item in shown] == [("rule.age", "90")]


def test_a_preview_shows_nothing_where_it_is_all_that_terraform_will_do():
    entry = change("google_storage_bucket.b", "update", {"days": 0}, {"days": None})
    shown = preview(entry, **configuration("google_storage_bucket.b")).stacks[0].changes[0].attributes
    assert [(item.path, item.before, item.after) for item in shown] == [("days", "0", "null")]


@pytest.mark.parametrize(
    ("address", "before", "after", "alarm"),
    [
        ("google_storage_bucket_iam_binding.b", {"bucket": "acme-raw", "role": "roles/x.viewer", "members": []},
         {"bucket": "acme-raw", "role": "roles/x.viewer", "members": ["allUsers"]}, "PUBLIC"),
        ("google_compute_firewall.f", {"allow": [{"protocol": "tcp"}], "source_ranges": ["10.0.0.0/8"]},
         {"allow": [{"protocol": "tcp"}], "source_ranges": ["0.0.0.0/0"]}, "OPEN TO THE WORLD"),
        ("google_storage_bucket.b", {"versioning": [{"enabled": True}]}, {"versioning": [{"enabled": False}]},
         "no versions any more"),
        ("google_bigquery_table.t", {"deletion_protection": True}, {"deletion_protection": False}, "not refused"),
    ],
)  # fmt: skip
def test_drift_rings_for_what_a_preview_would(address, before, after, alarm):
    (found,) = told(change(address, "update", before, after))
    assert alarm in found.why


def test_equal_drifts_are_one_row_and_what_opens_comes_first():
    bumped = [change(f"google_thing.x{i:03}", "update", {"version": 1}, {"version": 2}) for i in range(163)]
    rule = {"allow": [{"protocol": "tcp"}], "source_ranges": ["10.0.0.0/8"]}
    opened = change("google_compute_firewall.f", "update", rule, {**rule, "source_ranges": ["0.0.0.0/0"]})
    section = outside(preview(resource_drift=[*bumped, opened]).stacks, 6)
    assert [sum(row.counts.values()) for row in section.rows] == [1, 163]
    assert "OPEN TO THE WORLD" in markdown(section.rows[0].cells[0])
    assert "and 157 more" in markdown(section.rows[1].cells[0])
