import copy
import json
from pathlib import Path

import pytest

from fonderie.core.errors import BadInputError
from fonderie.sandbox.lifecycle.interface import UNKNOWN
from fonderie.sandbox.protocol import wire
from fonderie.sandbox.provider.facts import FACTS_FILE, Facts, check
from fonderie.sandbox.provider.schema import Block, ProviderSchema

GOOGLE = Path("tests/data/google")


def test_facts_cover_every_attribute_of_the_schema(schema: ProviderSchema) -> None:
    facts = Facts.load()
    check(schema, facts)
    assert len(schema.types) == 143
    assert facts.type("google_storage_bucket").attributes["name"].force_new
    assert facts.type("google_secret_manager_secret").attributes["rotation"].required_with == ["topics"]


def test_a_schema_the_facts_do_not_know_is_refused_with_its_attribute(schema: ProviderSchema, tmp_path: Path) -> None:
    raw = json.loads(FACTS_FILE.read_text())
    del raw["types"]["google_pubsub_topic"]["attrs"]["schema_settings.encoding"]
    file = tmp_path / "facts.json"
    file.write_text(json.dumps(raw))
    with pytest.raises(BadInputError, match=r"google_pubsub_topic has schema_settings\.encoding") as refused:
        check(schema, Facts.load(file))
    assert refused.value.where == str(file)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"provider_schemas": {}}', '{"provider_schemas": []}'])
def test_a_file_that_is_no_schema_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text(text)
    with pytest.raises(BadInputError, match="not a provider's schema"):
        ProviderSchema.load(file)


def test_an_unknown_type_is_refused(schema: ProviderSchema) -> None:
    with pytest.raises(BadInputError, match="no resource type google_nothing"):
        schema.resource("google_nothing")
    with pytest.raises(BadInputError, match="no resource type google_nothing"):
        Facts.load().type("google_nothing")


def test_a_state_survives_the_wire() -> None:
    block = Block.of(
        {
            "attributes": {
                "name": {"type": "string"},
                "age": {"type": "number"},
                "on": {"type": "bool"},
                "labels": {"type": ["map", "string"]},
                "made": {"type": ["list", ["object", {"at": "string", "n": "number"}]]},
            },
            "block_types": {
                "rule": {"nesting_mode": "set", "block": {"attributes": {"to": {"type": ["set", "string"]}}}},
                "timeouts": {"nesting_mode": "single", "block": {"attributes": {"create": {"type": "string"}}}},
            },
        }
    )
    state = {
        "name": UNKNOWN,
        "age": 3,
        "on": False,
        "labels": {"a": "b", "c": UNKNOWN},
        "made": [{"at": None, "n": 0.5}],
        "rule": [{"to": ["x"]}, {"to": UNKNOWN}],
        "timeouts": None,
    }
    assert wire.decode(wire.encode(state, block), block) == state
    assert wire.decode(wire.encode({**block.empty(), "age": "12345678901234567890"}, block), block) == {
        **block.empty(),
        "age": 12345678901234567890,
    }
    assert wire.decode(wire.encode(None, block), block) is None


def test_unknown_stays_itself_when_copied() -> None:
    assert copy.deepcopy([UNKNOWN])[0] is UNKNOWN


@pytest.mark.parametrize("block", [{"attributes": {"a": {}}}, {"attributes": []}, {"block_types": {"b": {}}}])
def test_a_malformed_type_of_a_schema_is_refused_by_its_name(block: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text(json.dumps({"provider_schemas": {"x": {"resource_schemas": {"google_odd": {"block": block}}}}}))
    with pytest.raises(BadInputError, match="google_odd is malformed"):
        ProviderSchema.load(file).resource("google_odd")


@pytest.mark.parametrize("attrs", [[], {"a": 1}, {"a": {"vp": []}}])
def test_malformed_facts_are_refused_by_the_type(attrs: object, tmp_path: Path) -> None:
    file = tmp_path / "facts.json"
    file.write_text(json.dumps({"types": {"google_odd": {"attrs": attrs}}}))
    with pytest.raises(BadInputError, match="google_odd are malformed"):
        Facts.load(file).type("google_odd")


def test_nested_attributes_are_objects() -> None:
    nested = {"nested_type": {"nesting_mode": "list", "attributes": {"b": {"type": "string"}}}, "optional": True}
    assert Block.of({"attributes": {"a": nested}}).attributes["a"].type == ["list", ["object", {"b": "string"}]]
