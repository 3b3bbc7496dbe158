import json
from typing import Any

import pytest

from fonderie.sandbox.planning.type_rules import rules_by_type
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.rules.bigquery import columns, in_place
from fonderie.sandbox.rules.compute import grows
from fonderie.sandbox.rules.storage import content_md5

ID = {"name": "id", "type": "STRING", "mode": "REQUIRED"}
V = {"name": "v", "type": "FLOAT"}


def changes(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> bool:
    before, after = columns(json.dumps(old)), columns(json.dumps(new))
    assert before is not None
    assert after is not None
    return in_place(before, after)


def test_rules_belong_to_types_and_attributes_the_facts_know(facts: Facts) -> None:
    for name, rules in rules_by_type().items():
        known = facts.type(name).attributes
        assert set(rules.same) <= set(known), name


@pytest.mark.parametrize(
    ("new", "possible"),
    [
        ([ID, V, {"name": "w", "type": "STRING"}], True),
        ([ID], True),
        ([{**ID, "mode": "NULLABLE"}, V], True),
        ([{**ID, "type": "INTEGER"}, V], False),
        ([ID, {**V, "mode": "REQUIRED"}], False),
        ([ID, {"name": "renamed", "type": "FLOAT"}], False),
        ([ID, {**V, "type": "FLOAT64"}], True),
    ],
)
def test_a_table_s_columns_come_and_go_but_keep_their_type(new: list[dict[str, Any]], possible: bool) -> None:
    assert changes([ID, V], new) is possible


def test_columns_are_compared_without_defaults_and_order() -> None:
    assert columns([ID, V]) == columns([{**V, "mode": "NULLABLE", "policyTags": {"names": []}}, ID])


@pytest.mark.parametrize(
    ("new", "possible"),
    [("10.10.0.0/19", True), ("10.10.0.0/20", True), ("10.10.0.0/21", False), ("10.9.0.0/16", False)],
)
def test_a_subnet_grows_and_does_not_shrink_or_move(new: str, possible: bool) -> None:
    assert grows("10.10.0.0/20", new) is possible


def test_an_object_s_hash_is_the_recorded_one() -> None:
    assert content_md5(b'{"a":1}') == "u2y1xo30ZSlByvZSo2by2A=="
