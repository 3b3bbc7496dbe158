"""Laws of planning that hold on all types, told from the facts alone."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from fonderie.sandbox.lifecycle.interface import UNKNOWN, DiagnosticSeverity, Path, ProviderConfig, State
from fonderie.sandbox.planning.fields import AttributeField, FieldKind, fields_of
from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.protocol.wire import conform
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import Block, ProviderSchema
from tests.sandbox.memory import fill
from tests.unit.fonderie.sandbox.minimal import fullest, minimal

Build = Callable[[Mapping[str, AttributeField]], dict[str, Any]]
PROVIDER = ProviderConfig(project="demo-proj", region="us-central1", zone="us-central1-a")


class Resource:
    """A type's smallest or fullest configuration, and the state after it was applied."""

    def __init__(
        self, schema: ProviderSchema, facts: Facts, planner: Planner, type_name: str, build: Build = minimal
    ) -> None:
        self.type, self.planner = type_name, planner
        self.block = schema.resource(type_name).block
        self.fields = fields_of(self.block, facts.type(type_name))
        self.config = {**self.block.empty(), **conform_some(build(self.fields), self.block.type)}
        planned = planner.plan(type_name, None, self.config, self.config, PROVIDER).state
        assert planned is not None
        self.state = planner.kept(type_name, {**fill(planned, self.block.type, ""), "id": "made"})

    def proposed(self, config: State) -> State:
        """As Terraform proposes: what is computed and not configured stays."""
        return proposed(self.block, config, self.state)


def proposed(block: Block, config: Mapping[str, Any], prior: Mapping[str, Any]) -> State:
    """`config` with what is computed and null from the state, in lists of blocks by their index."""
    state: State = {}
    for name, attribute in block.attributes.items():
        state[name] = prior.get(name) if config[name] is None and attribute.computed else config[name]
    for name, nested in block.blocks.items():
        before, state[name] = prior.get(name) or [], config[name]
        if isinstance(config[name], list):
            state[name] = [
                proposed(nested.block, one, before[index] if index < len(before) else {})
                for index, one in enumerate(config[name])
            ]
    return state


def conform_some(config: State, type: Any) -> State:
    return {name: conform(value, type[1][name]) for name, value in config.items()}


@pytest.fixture(scope="module")
def resources(schema: ProviderSchema, facts: Facts, planner: Planner) -> list[Resource]:
    return [Resource(schema, facts, planner, name) for name in schema.types]


def test_a_smallest_configuration_is_valid(resources: list[Resource]) -> None:
    for one in resources:
        found = [
            each for each in one.planner.validate(one.type, one.config) if each.severity is DiagnosticSeverity.ERROR
        ]
        assert not found, (one.type, found)


def test_a_plan_without_a_change_is_the_prior_state(resources: list[Resource]) -> None:
    for one in resources:
        planned = one.planner.plan(one.type, one.state, one.proposed(one.config), one.config, PROVIDER)
        assert planned.state == one.state, one.type
        assert not planned.requires_replace, one.type


def test_what_is_created_keeps_the_configuration_and_has_unknowns(resources: list[Resource]) -> None:
    for one in resources:
        planned = one.planner.plan(one.type, None, one.config, one.config, PROVIDER).state
        assert planned is not None
        assert planned["id"] is UNKNOWN, one.type
        for name, field in one.fields.items():
            if field.kind is FieldKind.STRING and one.config[name] is not None and not field.fact.normalises:
                assert planned[name] == one.config[name], (one.type, name)


def free_texts(one: Resource) -> list[AttributeField]:
    """Texts of the configuration in which any change is a change."""
    return [
        field
        for name, field in one.fields.items()
        if field.kind is FieldKind.STRING
        and field.required
        and not (field.fact.suppresses or field.fact.normalises or field.fact.validates)
    ]


def test_a_changed_text_forces_replacement_exactly_where_the_facts_say(resources: list[Resource]) -> None:
    tried = 0
    for one in resources:
        for field in free_texts(one):
            config = {**one.config, field.name: "projects/p/other"}
            planned = one.planner.plan(one.type, one.state, one.proposed(config), config, PROVIDER)
            replaces = (field.name,) in planned.requires_replace
            assert planned.state is not None
            assert planned.state[field.name] == "projects/p/other", (one.type, field.name)
            assert replaces == field.fact.force_new, (one.type, field.name)
            tried += 1
    assert tried > 150


def texts_in_lists(
    fields: Mapping[str, AttributeField], value: Mapping[str, Any], at: Path = ()
) -> Iterator[tuple[Path, AttributeField]]:
    """Texts at any depth of lists of blocks, with their places; those in sets have none."""
    for name, field in fields.items():
        inside = value.get(name)
        if inside is None:
            continue
        if field.kind is FieldKind.STRING and not (field.fact.suppresses or field.fact.normalises):
            yield (*at, name), field
        elif field.kind is FieldKind.LIST and field.children:
            for index, one in enumerate(inside):
                yield from texts_in_lists(field.children, one, (*at, name, index))


def changed(value: Any, at: Path) -> Any:
    """A copy with another text at one place."""
    if not at:
        return "other"
    copied = copy.copy(value)
    copied[at[0]] = changed(value[at[0]], at[1:])
    return copied


def test_a_text_at_any_depth_forces_replacement_exactly_where_the_facts_say(
    schema: ProviderSchema, facts: Facts, planner: Planner
) -> None:
    tried = 0
    for name in schema.types[::3]:
        one = Resource(schema, facts, planner, name, fullest)
        if name == "google_storage_bucket" or facts.type(name).framework:
            continue  # the facts say that its set of locations is normalised: it differs in every plan
        for place, field in texts_in_lists(one.fields, one.config):
            config = changed(one.config, place)
            planned = planner.plan(name, one.state, one.proposed(config), config, PROVIDER)
            replaces = [path for path in planned.requires_replace if path != ("id",)]
            assert replaces == ([place] if field.force_new else []), (name, place)
            tried += 1
    assert tried > 400


def test_a_value_outside_an_enumeration_is_refused_in_the_provider_s_words(resources: list[Resource]) -> None:
    tried = 0
    for one in resources:
        for name, field in one.fields.items():
            if field.kind is FieldKind.STRING and field.configurable and field.fact.values.enum and not field.children:
                found = one.planner.validate(one.type, {**one.config, name: "NOPE"})
                assert any(each.summary.startswith(f"expected {name} to be one of") for each in found), (one.type, name)
                tried += 1
    assert tried > 50
