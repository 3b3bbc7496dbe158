"""What holds for every stack of every environment."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from fonderie.core.resource_types import resource_type, resource_types, types_in_use
from fonderie.sandbox.provider.cut import PROVIDER, SCHEMA_FILE
from infra import names
from infra.names import StackName
from infra.settings import environment_names, load_environment
from tests.unit.conftest import Synthesised
from tests.unit.infra.synthesised import REFERENCE, leaves, resources

PRIMITIVE = {"roles/owner", "roles/editor", "roles/viewer"}
EVERYBODY = {"allUsers", "allAuthenticatedUsers"}


def test_every_environment_has_the_five_stacks_each_after_the_one_before(outdir: Any) -> None:
    manifest = json.loads((outdir / "manifest.json").read_text())["stacks"]
    for name in environment_names():
        ids = [f"{name}-{stack}" for stack in StackName]
        assert [manifest[id]["dependencies"] for id in ids] == [[], *([before] for before in ids[:-1])]
    assert len(manifest) == 5 * len(environment_names())


def test_no_stack_refers_to_a_resource_of_another(stacks: Synthesised) -> None:
    for name, stack in stacks.items():
        assert "terraform_remote_state" not in json.dumps(stack)
        own = {(kind, id) for kind, id, _ in resources(stack)}
        own |= {(kind, id) for kind, instances in stack.get("data", {}).items() for id in instances}
        assert set(REFERENCE.findall(json.dumps(stack.get("resource", {})))) <= own, name


def test_nothing_that_was_asked_for_came_out_empty(stacks: Synthesised) -> None:
    for name, stack in stacks.items():
        for kind, id, arguments in resources(stack):
            for path, value in leaves(arguments):
                assert value not in ({}, []), f"{name} {kind}.{id}: {'.'.join(path)} is {value}"


def used(stacks: Synthesised) -> set[str]:
    return {kind for stack in stacks.values() for kind, _, _ in resources(stack)}


def test_every_type_of_a_stack_has_a_row_in_use_and_every_row_in_use_is_used(stacks: Synthesised) -> None:
    unused = {row.name for row in resource_types().values() if row.written == "nobody"}
    assert set(types_in_use()) == used(stacks) | unused
    assert not used(stacks) & unused


def test_the_cut_schema_has_the_types_in_use_and_no_other() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())["provider_schemas"][PROVIDER]["resource_schemas"]
    assert sorted(schema) == types_in_use()


def arguments_of(block: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Every argument of a schema's block, inner ones with dots."""
    yield from (f"{prefix}{name}" for name in block.get("attributes", {}))
    for name, inner in block.get("block_types", {}).items():
        yield f"{prefix}{name}"
        yield from arguments_of(inner["block"], f"{prefix}{name}.")


def test_every_argument_that_a_row_names_is_in_the_schema() -> None:
    schema = json.loads(SCHEMA_FILE.read_text())["provider_schemas"][PROVIDER]["resource_schemas"]
    for row in (row for row in resource_types().values() if row.in_use):
        has = set(arguments_of(schema[row.name]["block"]))
        named = {row.takes_along, row.key, row.labels, row.runs_as, *row.protected_by}
        named |= set(re.findall(r"\{(\w+)\}", row.import_id))
        assert named - {""} <= has, row.name
        if grant := schema.get(f"{row.name}_iam_member"):
            assert row.iam_target in set(arguments_of(grant["block"])), row.name


def test_every_type_that_holds_something_is_protected_or_permanent_but_queues_and_the_feature_group() -> None:
    unprotected = {row.name for row in resource_types().values() if row.in_use and row.holds and not row.protected_by}
    assert {name for name in unprotected if not resource_type(name).permanent} == {
        "google_pubsub_subscription",
        "google_pubsub_topic",
        "google_vertex_ai_feature_group",
    }


def test_no_primitive_role_no_everybody_no_key_no_default_account(stacks: Synthesised) -> None:
    for stack in stacks.values():
        for kind, _, arguments in resources(stack):
            assert arguments.get("role") not in PRIMITIVE
            assert arguments.get("member") not in EVERYBODY
            assert kind != "google_service_account_key"
            text = json.dumps(arguments)
            assert "compute@developer.gserviceaccount.com" not in text
            assert "@cloudbuild.gserviceaccount.com" not in text


def test_whatever_runs_has_an_identity_of_ours(stacks: Synthesised) -> None:
    wanted = {
        "google_cloudbuild_trigger": ("service_account",),
        "google_workflows_workflow": ("service_account",),
        "google_eventarc_trigger": ("service_account",),
        "google_container_node_pool": ("node_config", "service_account"),
        "google_container_cluster": ("node_config", "service_account"),
        "google_cloud_scheduler_job": ("http_target", "oauth_token", "service_account_email"),
    }
    seen = set()
    for name, stack in stacks.items():
        project = load_environment(name.partition("-")[0]).project_id
        for kind, _, arguments in resources(stack):
            value: Any = arguments
            for part in wanted.get(kind, ()):
                value = value[part]
            if kind in wanted:
                seen.add(kind)
                assert value.endswith(f"@{project}.iam.gserviceaccount.com")
    assert seen >= set(wanted) - {"google_cloud_scheduler_job"}


def test_everything_carries_the_labels_of_its_environment(stacks: Synthesised) -> None:
    for name, stack in stacks.items():
        env = load_environment(name.partition("-")[0])
        labels = stack["provider"]["google"][0]["default_labels"]
        assert labels == {**env.all_labels, "stack": name.partition("-")[2]}


def test_who_applies_can_write_every_type_after_the_bootstrap_and_no_other(stacks: Synthesised) -> None:
    written = {
        kind for name, stack in stacks.items() if not name.endswith("-bootstrap") for kind, _, _ in resources(stack)
    }
    assert {row.name for row in resource_types().values() if row.in_use and not row.written} == written


def test_state_is_kept_in_the_bootstraps_bucket_one_prefix_a_stack(stacks: Synthesised) -> None:
    for name, stack in stacks.items():
        env = load_environment(name.partition("-")[0])
        if env.backend == "gcs":
            assert stack["terraform"]["backend"] == {
                "gcs": {"bucket": names.bucket(env, names.BucketName.STATE), "prefix": name}
            }
        else:
            assert not stack["terraform"]["backend"]["local"]["path"].startswith("/")


@pytest.mark.parametrize("name", environment_names())
def test_stateful_resources_are_protected_unless_the_environment_is_ephemeral(name: str, stacks: Synthesised) -> None:
    env = load_environment(name)
    protected = {
        "google_storage_bucket": ("deletion_policy", "PREVENT"),
        "google_artifact_registry_repository": ("deletion_policy", "PREVENT"),
        "google_bigquery_dataset": ("deletion_policy", "PREVENT"),
        "google_bigquery_table": ("deletion_protection", True),
        "google_secret_manager_secret": ("deletion_protection", True),
        "google_container_cluster": ("deletion_protection", True),
        "google_compute_network": ("deletion_policy", "PREVENT"),
        "google_vertex_ai_endpoint": ("deletion_policy", "PREVENT"),
        "google_vertex_ai_tensorboard": ("deletion_policy", "PREVENT"),
    }
    seen = set()
    for stack in (stacks[f"{name}-{each}"] for each in StackName if each is not StackName.BOOTSTRAP):
        for kind, id, arguments in resources(stack):
            if kind in protected:
                key, value = protected[kind]
                assert (arguments[key] == value) is env.protected, id
                seen.add(kind)
    assert seen == set(protected) - ({"google_artifact_registry_repository"} if env.images.registry else set())


@pytest.mark.parametrize("name", environment_names())
def test_what_google_never_gives_back_is_never_destroyed(name: str, stacks: Synthesised) -> None:
    kinds = re.compile("kms_(key_ring|crypto_key)$|workload_identity_pool|custom_role$|storage_bucket$")
    kept = [
        arguments["lifecycle"]["prevent_destroy"]
        for kind, _, arguments in resources(stacks[f"{name}-bootstrap"])
        if kinds.search(kind)
    ]
    assert len(kept) == 14
    assert all(kept)
