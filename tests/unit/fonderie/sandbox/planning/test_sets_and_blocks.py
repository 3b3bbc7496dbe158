"""Force-replacement and no-ops inside lists and sets of blocks."""

from typing import Any

import pytest

from fonderie.sandbox.planning.difference import Comparison, Rules, leaves
from fonderie.sandbox.planning.fields import fields_of
from fonderie.sandbox.planning.planned_state import applied
from fonderie.sandbox.planning.planner import replacing_paths
from fonderie.sandbox.planning.values import configured_object
from fonderie.sandbox.provider.facts import Fact, TypeFacts
from fonderie.sandbox.provider.schema import Block

PLAIN = Rules(lambda *_: False, lambda _, value: value, lambda _, value: value)


class Type:
    """A made-up type: `disk` list of blocks, `rule` set of blocks, `tags` set, `labels` map."""

    def __init__(self, **facts: dict[str, Any]) -> None:
        inner = {"attributes": {name: {"type": "string", "optional": True} for name in ("name", "size")}}
        raw = {
            "attributes": {
                "tags": {"type": ["set", "string"], "optional": True},
                "labels": {"type": ["map", "string"], "optional": True},
            },
            "block_types": {
                "disk": {"nesting_mode": "list", "block": inner},
                "rule": {"nesting_mode": "set", "block": inner},
            },
        }
        known = {"disk": "list<block>", "rule": "set<block>", "tags": "set<string>", "labels": "map<string>"}
        every = {path: {"t": kind, "o": 1} for path, kind in known.items()}
        every |= {f"{block}.{name}": {"t": "string", "o": 1} for block in ("disk", "rule") for name in ("name", "size")}
        for path, more in facts.items():
            every[path.replace("__", ".")] |= more
        self.fields = fields_of(Block.of(raw), TypeFacts("t", {path: Fact.of(one) for path, one in every.items()}, {}))

    def change(self, old: dict[str, Any], new: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        wanted = configured_object(self.fields, new)
        node = Comparison(PLAIN, existing=True).of_object(self.fields, old, wanted, (), everything=False)
        after = applied(self.fields, old, node, lambda _, value: value)
        return after if list(leaves(node)) else old, replacing_paths(self.fields, node)


def named(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "size": ""} for name in names]


def test_a_block_of_a_list_forces_replacement_at_its_own_index() -> None:
    _, paths = Type(disk__name={"fn": 1}).change({"disk": named("a", "b")}, {"disk": named("a", "c")})
    assert paths == [("disk", 1, "name")]


def test_one_more_block_forces_replacement_when_their_number_does() -> None:
    _, paths = Type(disk={"fn": 1}).change({"disk": named("a")}, {"disk": named("a", "b")})
    assert paths == [("disk",)]


def test_elements_of_a_set_pair_by_value_and_the_path_stops_at_the_set() -> None:
    after, paths = Type(rule__name={"fn": 1}).change({"rule": named("a", "b")}, {"rule": named("b", "c")})
    assert paths == [("rule",)]
    assert sorted(one["name"] for one in after["rule"]) == ["b", "c"]


@pytest.mark.parametrize("kind", ["rule", "tags"])
def test_a_set_in_another_order_is_no_change(kind: str) -> None:
    values = named("a", "b") if kind == "rule" else ["a", "b"]
    old = {kind: values}
    assert Type().change(old, {kind: values[::-1]}) == (old, [])


def test_blocks_of_a_list_in_another_order_are_a_change() -> None:
    after, _ = Type().change({"disk": named("a", "b")}, {"disk": named("b", "a")})
    assert [one["name"] for one in after["disk"]] == ["b", "a"]


def test_a_map_forces_replacement_as_a_whole() -> None:
    after, paths = Type(labels={"fn": 1}).change({"labels": {"a": "1", "b": "2"}}, {"labels": {"a": "1", "c": "3"}})
    assert paths == [("labels",)]
    assert after["labels"] == {"a": "1", "c": "3"}


def test_a_default_counts_in_a_block_that_is_taken_away() -> None:
    old = {"disk": [{"name": "a", "size": "10"}]}
    after, paths = Type(disk__size={"d": "10", "fn": 1}).change(old, {"disk": None})
    assert (after["disk"], paths) == ([], [])


def test_a_computed_block_that_is_not_configured_stays() -> None:
    old = {"disk": named("a")}
    assert Type(disk={"c": 1}).change(old, {"disk": []}) == (old, [])
