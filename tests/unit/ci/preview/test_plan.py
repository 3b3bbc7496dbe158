import json

import pytest

from ci.preview.assemble import Material, assemble
from ci.preview.render.comment import render
from fonderie.core.errors import BadInputError
from fonderie.terraform.plan import Action, read_plan
from fonderie.terraform.references import referred
from tests.unit.ci.preview.plans import change, plan, plan_json, preview


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["no-op"], Action.NOTHING),
        (["read"], Action.NOTHING),
        (["create"], Action.CREATE),
        (["update"], Action.UPDATE),
        (["delete"], Action.DESTROY),
        (["delete", "create"], Action.REPLACE),
        (["create", "delete"], Action.REPLACE),
        (["forget"], Action.FORGET),
        (["delete", "something-new"], Action.DESTROY),
        (["something-new"], Action.UPDATE),
    ],
)
def test_actions_are_read_and_an_unheard_of_one_never_hides_a_destroy(actions, expected):
    entry = change("terraform_data.x", "none")
    entry["change"]["actions"] = actions
    assert plan(entry).changes[0].action is expected


def test_moved_and_imported_resources_are_changes():
    moved = change("terraform_data.x", "none", {}, {}, previous_address="terraform_data.y")
    imported = change("terraform_data.z", "none", {}, {}, importing="an-id")
    assert [item.action for item in plan(moved, imported).changes] == [Action.MOVE, Action.IMPORT]


def test_data_sources_are_not_changes():
    entry = change("terraform_data.x", "create") | {"mode": "data"}
    assert plan(entry).changes == ()


def test_references_of_the_configuration_are_followed_into_modules():
    inner = {"resources": [{"address": "a.b", "expressions": {"x": {"references": ["c.d.id", "c.d"]}}}]}
    configuration = {"root_module": {"module_calls": {"m": {"module": inner}}, "resources": []}}
    expressions = plan(configuration=configuration).expressions
    assert expressions["module.m.a.b"]["x"] == {"module.m.c.d"}
    assert referred(expressions, 'module.m["k"].a.b[0]') == {"module.m.c.d"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format_version": 1}',
        '{"format_version": "2.0"}',
        "[" * 200_000,
        '{"format_version": "1.2", "resource_changes": [{"address": "a"}]}',
        b"\xff\xfe\x00",
    ],
    ids=range(9),
)
def test_what_is_not_a_plan_is_refused_with_its_stack(text):
    with pytest.raises(BadInputError) as caught:
        read_plan(text, environment="prod", stack="prod-data")
    assert caught.value.where == "plan of prod-data"


def test_a_refusal_does_not_quote_the_plan():
    body = json.loads(plan_json(change("a.b", "create", None, {"x": "hunter2-secret"})))
    body["resource_changes"][0]["change"]["actions"] = "hunter2-secret"
    with pytest.raises(BadInputError) as caught:
        read_plan(json.dumps(body), environment="prod", stack="prod-data")
    assert "hunter2" not in str(caught.value)
    assert "resource_changes.0.change.actions" in str(caught.value)


def test_nulls_are_taken_for_nothing():
    nothing = dict.fromkeys(
        ("resource_changes", "resource_drift", "deferred_changes", "output_changes", "configuration", "variables")
    )
    assert plan(**nothing).changes == ()


def test_what_is_put_off_is_reviewed_and_lost_all_the_same():
    later = change("google_storage_bucket.raw", "delete", {"name": "acme-raw"})
    found = preview(deferred_changes=[{"reason": "provider_config_unknown", "resource_change": later}])
    assert [loss.address for loss in found.losses] == ["google_storage_bucket.raw"]
    assert "put off until more is known: provider config unknown" in render(found)


def test_a_plan_that_ended_with_an_error_is_a_failure_and_what_it_holds_is_shown():
    found = preview(change("google_thing.x", "delete", {}), errored=True)
    assert found.failed
    assert "google_thing.x" in render(found)
    assert "ended this plan with an error" in render(found)


@pytest.mark.parametrize(
    ("importing", "said"),
    [
        ({"id": "projects/p/x"}, "imported from projects/p/x"),
        ({"identity": {"project": "p", "name": "x"}}, "imported from project=p, name=x"),
        ({}, "imported from an id known after apply"),
        ({"id": None}, "imported from an id known after apply"),
    ],
)
def test_what_is_imported_says_by_what(importing, said):
    entry = change("google_thing.x", "none", {}, {})
    entry["change"]["importing"] = importing
    (found,) = preview(entry).stacks[0].changes
    assert (found.action, found.note) == (Action.IMPORT, said)


def test_an_address_that_is_there_twice_is_lost_twice_each_with_its_own_reason():
    one = change("google_thing.x", "replace", {"a": 1}, {"a": 2}, forces=[["a"]])
    other = change("google_thing.x", "replace", {"b": 1}, {"b": 2}, forces=[["b"]])
    assert sorted(loss.why for loss in preview(one, other).losses) == [
        "a 1 → 2 forces replacement", "b 1 → 2 forces replacement"]  # fmt: skip


def test_stacks_of_the_same_name_in_two_environments_keep_their_reasons_and_details():
    plans = [plan(change("google_thing.x", "replace", {"a": name}, {"a": "new"}, forces=[["a"]]),
                  environment=name, stack="data") for name in ("dev", "prod")]  # fmt: skip
    found = assemble(Material(tuple(plans)))
    assert [loss.why for loss in found.losses] == [f'a "{name}" → "new" forces replacement' for name in ("dev", "prod")]
    assert render(found).count("<details>") == 2


def test_a_step_into_a_set_is_no_reason_to_refuse_a_plan():
    entry = change("google_thing.x", "replace", {"a": [{"b": 1}]}, {"a": [{"b": 2}]}, forces=[["a", {"b": 1}, "b"]])
    assert preview(entry).losses[0].why.endswith("replacement")


def test_what_changed_outside_is_told_and_what_the_provider_counts_up_is_not():
    edited = change("google_pubsub_topic.t", "update", {"keep": "600s", "etag": "a"}, {"keep": "900s", "etag": "b"})
    gone = change("google_storage_bucket.b", "delete", {"name": "acme-raw"})
    counted = change("google_thing.x", "update", {"etag": "a"}, {"etag": "b"})
    found = preview(resource_drift=[edited, gone, counted])
    section = render(found).split("#### Changed outside Terraform")[1].split("####")[0].split("---")[0].strip()
    assert section.split("\n")[1:] == [
        '- **prod** · `google_pubsub_topic.t` `keep "600s" → "900s"`',
        "- **prod** · `google_storage_bucket.b` `is gone from the cloud`",
    ]
    assert "google_thing.x" not in section
    assert found.losses == ()
