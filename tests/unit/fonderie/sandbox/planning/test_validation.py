"""Configurations refused, in the provider's words."""

from typing import Any

import pytest

from fonderie.sandbox.lifecycle.interface import UNKNOWN, State
from fonderie.sandbox.planning.fields import fields_of
from fonderie.sandbox.planning.planner import Planner
from fonderie.sandbox.provider.facts import Facts
from fonderie.sandbox.provider.schema import ProviderSchema
from tests.unit.fonderie.sandbox.minimal import minimal


class Refusing:
    """Validates a type's smallest configuration with some arguments changed."""

    def __init__(self, schema: ProviderSchema, facts: Facts, planner: Planner) -> None:
        self.schema, self.facts, self.planner = schema, facts, planner

    def __call__(self, type_name: str, **changed: Any) -> list[str]:
        block = self.schema.resource(type_name).block
        config: State = {**block.empty(), **minimal(fields_of(block, self.facts.type(type_name))), **changed}
        found = self.planner.validate(type_name, config)
        return [f"{one.summary}: {one.detail}" if one.detail else one.summary for one in found]


@pytest.fixture
def refused(schema: ProviderSchema, facts: Facts, planner: Planner) -> Refusing:
    return Refusing(schema, facts, planner)


@pytest.mark.parametrize(
    ("type_name", "changed", "words"),
    [
        ("google_compute_network", {"name": "Bad"}, "doesn't match regexp"),
        ("google_compute_firewall", {"priority": 70000}, "expected priority to be in the range (0 - 65535), got 70000"),
        ("google_container_node_pool", {"node_count": -1}, "expected node_count to be at least (0), got -1"),
        ("google_service_account", {"account_id": "abc"}, "expected length of account_id to be in the range (6 - 30)"),
        ("google_compute_subnetwork", {"ip_cidr_range": "10.0.0.0"}, "invalid CIDR address"),
        ("google_monitoring_dashboard", {"dashboard_json": "{bad"}, "contains an invalid JSON"),
        ("google_project_iam_member", {"member": "a@b.co"}, "invalid value for"),
        (
            "google_storage_notification",
            {"topic": "//pubsub.googleapis.com/t"},
            "Invalid Topic Prefix",
        ),
        ("google_kms_crypto_key", {"rotation_period": "100s"}, "rotation period must be greater than 86400 seconds"),
        ("google_iam_workload_identity_pool", {"workload_identity_pool_id": "gcp-pool"}, 'can not start with "gcp-"'),
    ],
)
def test_a_value_outside_its_range_is_refused(
    refused: Refusing, type_name: str, changed: dict[str, Any], words: str
) -> None:
    assert any(words in one for one in refused(type_name, **changed)), refused(type_name, **changed)


def test_arguments_that_exclude_each_other_are_refused_at_each(refused: Refusing) -> None:
    found = refused("google_compute_firewall", allow=[{"protocol": "tcp"}], deny=[{"protocol": "udp"}])
    words = "only one of `allow,deny` can be specified, but `allow,deny` were specified."
    assert found == [f'Invalid combination of arguments: "{name}": {words}' for name in ("allow", "deny")]


def test_a_missing_one_of_several_is_refused(refused: Refusing) -> None:
    found = refused("google_compute_firewall", allow=[], deny=[])
    assert 'Invalid combination of arguments: "allow": one of `allow,deny` must be specified' in found


def test_arguments_that_belong_together_are_asked_for(refused: Refusing) -> None:
    rotation = [{"next_rotation_time": "2030-01-01T00:00:00Z", "rotation_period": "3600s"}]
    found = refused("google_secret_manager_secret", rotation=rotation)
    assert 'Missing required argument: "rotation": all of `rotation,topics` must be specified' in found


def test_a_conflict_is_told(refused: Refusing) -> None:
    found = refused("google_container_cluster", enable_autopilot=True, remove_default_node_pool=True)
    words = '"remove_default_node_pool": conflicts with enable_autopilot'
    assert f"Conflicting configuration arguments: {words}" in found


def test_what_is_not_known_yet_is_not_refused(refused: Refusing) -> None:
    assert refused("google_compute_network", name=UNKNOWN, routing_mode=UNKNOWN) == []
    assert refused("google_compute_firewall", allow=UNKNOWN, deny=[{"protocol": "udp"}]) == []


def test_a_provider_block_and_a_data_source_are_checked_too(planner: Planner) -> None:
    assert [one.summary for one in planner.validate_provider({"project": "p"})] == []
    assert (
        "expected status to be one of" in planner.validate_data("google_compute_zones", {"status": "NOPE"})[0].summary
    )
