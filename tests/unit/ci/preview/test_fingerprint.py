"""The plan's hash: what it depends on, and what not."""

import json

import pytest

from ci.preview.fingerprint import differences, goes_on, record
from fonderie.terraform.plan import read_plan
from tests.unit.ci.preview.plans import change, plan_json

BEFORE = {"name": "n", "labels": {"a": "1"}, "etag": "e1", "password": "one"}
AFTER = {"name": "n", "labels": {"a": "2"}, "etag": "e1", "password": "two"}
MASK = {"password": True}


def entry(before=BEFORE, after=AFTER, **more):
    return change("google_thing.x", more.pop("action", "update"), before, after, sensitive=MASK, **more)


def of(*entries, salt="lineage", serial=1, **more):
    return record(
        "prod",
        [read_plan(plan_json(*entries, **more), environment="prod", stack="prod-data", salt=salt, serial=serial)],
    )


def test_the_same_plan_has_the_same_hash_whatever_its_time_serial_and_order():
    other = change("google_thing.y", "create", None, {"a": 1})
    one = of(entry(), other, serial=1, timestamp="2026-11-22T00:00:00Z")
    two = of(other, entry(), serial=9, timestamp="2026-11-23T00:00:00Z")
    assert one.hash == two.hash


def test_resources_that_stay_as_they_are_do_not_count():
    assert of(entry()).hash == of(entry(), change("google_thing.z", "none", {"a": 1}, {"a": 1})).hash


def test_an_etag_that_moved_by_itself_does_not_count():
    moved = entry({**BEFORE, "etag": "e2"}, {**AFTER, "etag": "e2"})
    assert of(entry()).hash == of(moved).hash
    gone = [change("google_thing.x", "delete", {**BEFORE, "etag": tag}) for tag in ("e1", "e2")]
    assert of(gone[0]).hash == of(gone[1]).hash


TAMPERED = {
    "a value": entry(after={**AFTER, "labels": {"a": "3"}}),
    "a sensitive value": entry(after={**AFTER, "password": "three"}),
    "a sensitive value before": entry({**BEFORE, "password": "zero"}),
    "a value before": entry({**BEFORE, "labels": {"a": "0"}}),
    "a type of value": entry(after={**AFTER, "labels": {"a": 2}}),
    "an attribute more": entry(after={**AFTER, "more": None}),
    "an attribute less": entry(after={key: value for key, value in AFTER.items() if key != "name"}),
    "a key that looks like a path": entry(after={**AFTER, "labels": {"a": "2", "b/c": "1"}}),
    "an etag that is set": entry(after={**AFTER, "etag": "e2"}),
    "the action": entry(action="replace"),
    "the order of replacement": entry(action="create_first"),
    "what forces it": entry(forces=[["name"]]),
    "what is known later": entry(unknown={"name": True}),
    "where it came from": entry(previous_address="google_thing.w"),
    "an import": entry(importing="an-id"),
    "the provider": entry(provider_name="registry.example/other"),
    "a deposed object": entry(deposed="abcd"),
}


@pytest.mark.parametrize("tampered", TAMPERED.values(), ids=TAMPERED)
def test_everything_else_changes_the_hash(tampered):
    assert of(tampered).hash != of(entry()).hash


def test_a_key_that_looks_like_a_path_is_not_one():
    flat, nested = (entry(after={**AFTER, "labels": value}) for value in ({"a/b": "2"}, {"a": {"b": "2"}}))
    assert of(flat).hash != of(nested).hash


def test_an_output_counts():
    output = {"url": {"actions": ["update"], "before": "a", "after": "b"}}
    assert of(entry(), output_changes=output).hash != of(entry()).hash


def test_a_record_holds_no_value_and_depends_on_the_key():
    text = of(entry()).model_dump_json()
    assert "two" not in json.loads(text)["changes"][0]["values"].values()
    assert '"two"' not in text
    assert of(entry(), salt="another").hash != of(entry()).hash


def test_differences_are_said_in_words_without_values():
    lines = differences(of(entry()), of(TAMPERED["a sensitive value"], change("google_thing.y", "delete", {})))
    assert lines == [
        "not reviewed: prod-data google_thing.y would be destroyed",
        "prod-data google_thing.x: password not as reviewed",
    ]


def test_the_rest_of_a_plan_goes_on_and_what_was_known_later_may_be_known():
    first = change("google_thing.a", "create", None, {"n": 1}, unknown={"id": True})
    second = change("google_thing.b", "create", None, {"n": 2}, unknown={"parent": True})
    rest = change("google_thing.b", "create", None, {"n": 2, "parent": "a-1"})
    assert goes_on(of(first, second), of(rest)) == []


@pytest.mark.parametrize(
    "left",
    [
        change("google_thing.b", "create", None, {"n": 3}, unknown={"parent": True}),
        change("google_thing.c", "create", None, {}),
        change("google_thing.b", "delete", {"n": 2}),
    ],
    ids=["another value", "another resource", "another action"],
)
def test_what_was_not_reviewed_is_not_the_rest(left):
    reviewed = of(change("google_thing.b", "create", None, {"n": 2}, unknown={"parent": True}))
    assert len(goes_on(reviewed, of(left))) == 1
