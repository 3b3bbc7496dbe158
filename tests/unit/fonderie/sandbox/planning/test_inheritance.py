"""Labels, project and deletion policy that a resource takes over from the provider block."""

from dataclasses import replace
from typing import Any

import pytest

from fonderie.sandbox.lifecycle.interface import UNKNOWN, ProviderConfig, State
from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.provider.schema import ProviderSchema

PROVIDER = ProviderConfig(project="p", default_labels={"managed": "cdktf"})
TOPIC = "google_pubsub_topic"
COMPUTED = ("terraform_labels", "effective_labels", "project", "deletion_policy", "id", "message_storage_policy")


class Topic:
    """A topic in a provider."""

    def __init__(self, schema: ProviderSchema, planner: Planner) -> None:
        self.empty = schema.resource(TOPIC).block.empty()
        self.planner = planner

    def plan(self, prior: State | None, provider: ProviderConfig, **config: Any) -> State:
        given = {**self.empty, "name": "t", **config}
        inherited = (
            "terraform_labels",
            "effective_labels",
            "project",
            "deletion_policy",
            "id",
            "message_storage_policy",
        )
        proposed = (
            {**given, **{name: prior[name] for name in inherited if given[name] in (None, [])}} if prior else given
        )
        planned = self.planner.plan(TOPIC, prior, proposed, given, provider).state
        assert planned is not None
        return planned

    def made(self, provider: ProviderConfig = PROVIDER, **config: Any) -> State:
        planned = self.plan(None, provider, **config)
        return self.planner.kept(TOPIC, {**planned, "id": "x", "message_storage_policy": []})


@pytest.fixture
def topic(schema: ProviderSchema, planner: Planner) -> Topic:
    return Topic(schema, planner)


def test_default_labels_and_the_attribution_are_added_at_creation(topic: Topic) -> None:
    planned = topic.plan(None, PROVIDER, labels={"env": "dev"})
    expected = {"managed": "cdktf", "goog-terraform-provisioned": "true", "env": "dev"}
    assert planned["labels"] == {"env": "dev"}
    assert planned["terraform_labels"] == expected
    assert planned["effective_labels"] == expected


def test_a_resource_s_own_label_wins_over_the_default(topic: Topic) -> None:
    assert topic.plan(None, PROVIDER, labels={"managed": "me"})["terraform_labels"]["managed"] == "me"


def test_the_attribution_can_be_declined(topic: Topic) -> None:
    planned = topic.plan(None, replace(PROVIDER, add_terraform_attribution_label=False))
    assert planned["terraform_labels"] == {"managed": "cdktf"}


@pytest.mark.parametrize(("strategy", "added"), [("CREATION_ONLY", False), ("PROACTIVE", True)])
def test_the_attribution_comes_later_only_when_asked(topic: Topic, strategy: str, added: bool) -> None:
    prior = topic.made(replace(PROVIDER, add_terraform_attribution_label=False))
    provider = replace(PROVIDER, terraform_attribution_label_addition_strategy=strategy)
    assert ("goog-terraform-provisioned" in topic.plan(prior, provider)["effective_labels"]) is added


def test_a_label_taken_away_goes_and_a_foreign_one_stays(topic: Topic) -> None:
    prior = topic.made(labels={"env": "dev"})
    prior["effective_labels"] = {**prior["effective_labels"], "foreign": "1"}
    planned = topic.plan(prior, PROVIDER)
    assert "env" not in planned["terraform_labels"]
    assert planned["effective_labels"] == {"managed": "cdktf", "goog-terraform-provisioned": "true", "foreign": "1"}


def test_a_default_label_that_changes_is_an_update_of_the_resource(topic: Topic) -> None:
    planned = topic.plan(topic.made(), replace(PROVIDER, default_labels={"managed": "other"}))
    assert planned["effective_labels"]["managed"] == "other"


def test_labels_that_are_not_known_yet_make_all_of_them_unknown(topic: Topic) -> None:
    planned = topic.plan(None, PROVIDER, labels={"env": UNKNOWN})
    assert planned["terraform_labels"] is UNKNOWN
    assert planned["effective_labels"] is UNKNOWN


def test_the_project_is_the_provider_s_unless_given(topic: Topic) -> None:
    assert topic.plan(None, PROVIDER)["project"] == "p"
    assert topic.plan(None, PROVIDER, project="q")["project"] == "q"


def test_a_given_project_replaces(topic: Topic) -> None:
    prior = topic.made()
    given = {**topic.empty, "name": "t", "project": "q"}
    planned = topic.planner.plan(TOPIC, prior, {**prior, "project": "q"}, given, PROVIDER)
    assert ("project",) in planned.requires_replace


def test_a_deletion_policy_is_delete_then_the_provider_s_then_its_own(topic: Topic) -> None:
    assert topic.plan(None, PROVIDER)["deletion_policy"] == "DELETE"
    assert topic.plan(None, replace(PROVIDER, deletion_policy="ABANDON"))["deletion_policy"] == "ABANDON"
    own = topic.made(deletion_policy="PREVENT")
    assert own["deletion_policy"] == "PREVENT"
    assert topic.plan(own, PROVIDER)["deletion_policy"] == "DELETE"  # taken away: back in place
