"""Nulls after a create, zeros after a refresh: the record of the real provider is the witness."""

import json
from pathlib import Path
from typing import Any

import pytest

from fonderie.sandbox.lifecycle.interface import UNKNOWN
from fonderie.sandbox.planning.normalisation import as_created, as_refreshed, paths_of
from fonderie.sandbox.provider.schema import ProviderSchema

RECORDED = json.loads(Path("fonderie/sandbox/provider/normalised.json").read_text())


def test_the_record_is_whole_and_of_known_attributes(schema: ProviderSchema) -> None:
    assert len(RECORDED) == 38
    assert sum(len(paths) for paths in RECORDED.values()) == 88
    for type, paths in RECORDED.items():
        block = schema.resource(type).block
        assert {path.split("[]")[0].split(".")[0] for path in paths} <= {*block.attributes, *block.blocks}, type


@pytest.mark.parametrize(
    ("planned", "created", "refreshed"),
    [(None, None, {}), ({}, {}, {}), ({"a": "b"}, {"a": "b"}, {"a": "b"}), (UNKNOWN, {}, {})],
)
def test_a_planned_null_stays_until_the_refresh(planned: Any, created: Any, refreshed: Any) -> None:
    state = {"name": "t", "labels": {} if planned in (None, UNKNOWN) else planned}
    after = as_created("google_pubsub_topic", state, {"name": "t", "labels": planned})
    assert after == {"name": "t", "labels": created}
    assert as_refreshed("google_pubsub_topic", after) == {"name": "t", "labels": refreshed}


def test_blocks_are_entered() -> None:
    condition = {"age": 30, "days_since_custom_time": 0, "send_age_if_zero": False}
    planned = {
        "lifecycle_rule": [{"condition": [{"age": 30, "days_since_custom_time": None, "send_age_if_zero": False}]}]
    }
    state = {"lifecycle_rule": [{"condition": [condition]}]}
    after = as_created("google_storage_bucket", state, planned)
    assert after["lifecycle_rule"][0]["condition"][0] == {**condition, "days_since_custom_time": None}
    assert state["lifecycle_rule"][0]["condition"][0] == condition, "what the cloud keeps is not touched"
    assert as_refreshed("google_storage_bucket", after) == state


def test_a_type_that_was_not_seen_to_change_stays() -> None:
    assert not paths_of("google_project_service")
    assert as_created("google_project_service", {"service": "x"}, {"service": None}) == {"service": "x"}
