import json

import pytest

from ci.preview.plan import Action, read_plan
from ci.preview.references import referred
from fonderie.errors import BadInputError
from tests.unit.ci.preview.plans import change, plan, plan_json


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
