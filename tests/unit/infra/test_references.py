"""Stacks meet in names only: whatever a stack names is made once, by itself or by a stack before it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from infra.names import StackName
from infra.settings import Environment, environment_names, load_environment
from tests.unit.conftest import Synthesised
from tests.unit.infra.synthesised import REFERENCE, leaves, resources

# What a resource is called by others: type -> the names it makes, in the forms they are written in elsewhere.
MADE: dict[str, tuple[str, ...]] = {
    "service_account": (
        "{account_id}@{project}.iam.gserviceaccount.com",
        "projects/{project}/serviceAccounts/{account_id}@{project}.iam.gserviceaccount.com",
    ),
    "storage_bucket": ("bucket:{name}",),
    "compute_network": ("projects/{project}/global/networks/{name}",),
    "compute_subnetwork": ("projects/{project}/regions/{region}/subnetworks/{name}",),
    "kms_crypto_key": ("projects/{project}/locations/{region}/keyRings/{ring}/cryptoKeys/{name}",),
    "secret_manager_secret": ("projects/{project}/secrets/{secret_id}",),
    "bigquery_table": ("bq://{project}.{dataset_id}.{table_id}",),
    "artifact_registry_repository": ("{region}-docker.pkg.dev/{project}/{repository_id}",),
    "iam_workload_identity_pool": ("workloadIdentityPools/{workload_identity_pool_id}",),
    "vertex_ai_endpoint": ("endpoint:{name}",),
    "logging_metric": ("logging.googleapis.com/user/{name}",),
    "cloudbuild_trigger": ("triggers/{name}",),
    "container_cluster": ("{project}.svc.id.goog",),
    "pubsub_topic": ("projects/{project}/topics/{name}",),
}

# How those names look inside any text of another resource.
NAMED = [
    re.compile(pattern)
    for pattern in (
        r"(?<![\w-])[a-z][a-z0-9-]+@[a-z0-9-]+\.iam\.gserviceaccount\.com",
        r"projects/[\w-]+/serviceAccounts/[\w.@-]+",
        r"projects/[\w-]+/global/networks/[\w-]+",
        r"projects/[\w-]+/regions/[\w-]+/subnetworks/[\w-]+",
        r"projects/[\w-]+/locations/[\w-]+/keyRings/[\w-]+/cryptoKeys/[\w-]+",
        r"projects/[\w-]+/secrets/[\w-]+",
        r"projects/[\w-]+/topics/[\w-]+",
        r"bq://[\w-]+\.\w+\.\w+",
        r"(?<![\w-])[\w-]+-docker\.pkg\.dev/[\w-]+/[\w-]+",
        r"workloadIdentityPools/[\w-]+",
        r"logging\.googleapis\.com/user/[\w-]+",
        r"triggers/[\w-]+",
        r"(?<![\w-])[\w-]+\.svc\.id\.goog",
    )
]


def names_of(env: Environment, stack: dict[str, Any], kind: str, arguments: dict[str, Any]) -> Iterator[str]:
    """Every name a resource of the stack has for others."""
    known = {"project": env.project_id, "region": env.region, "ring": f"{env.name}-fonderie"}
    scalars = {key: value for key, value in arguments.items() if isinstance(value, str)}
    values = known | {key: _resolved(stack, value) for key, value in scalars.items()}
    for form in MADE.get(kind.removeprefix("google_"), ()):
        yield form.format(**values)


def _resolved(stack: dict[str, Any], value: str) -> str:
    """A reference within the stack, `${google_x.y.name}`, as what it refers to says."""
    for kind, id in REFERENCE.findall(value):
        target = stack["resource"].get(kind, {}).get(id, {})
        attribute = value.rpartition(".")[2].rstrip("}")
        value = str(target.get(attribute, value))
    return value


def named_by(arguments: dict[str, Any]) -> Iterator[str]:
    """Every name of one of our own resources that a resource's arguments hold."""
    text = " ".join(str(value) for _, value in leaves(arguments))
    for pattern in NAMED:
        yield from (name for name in pattern.findall(text) if not re.match(r"service-\d|bq-\d", name))
    if isinstance(bucket := arguments.get("bucket"), str) and "${" not in bucket:
        yield f"bucket:{bucket}"
    yield from (f"bucket:{name}" for name in re.findall(r"gs://([\w-]+)", text))
    yield from (f"endpoint:{name}" for name in re.findall(r'endpoint_id = "(\d+)"', text))


@pytest.mark.parametrize("name", environment_names())
def test_every_name_a_stack_writes_is_made_by_exactly_one_stack_that_is_not_later(
    name: str, stacks: Synthesised
) -> None:
    env = load_environment(name)
    ours = {index: stacks[f"{name}-{stack}"] for index, stack in enumerate(StackName)}
    makers: dict[str, list[int]] = defaultdict(list)
    for index, stack in ours.items():
        for kind, _, arguments in resources(stack):
            for made in names_of(env, stack, kind, arguments):
                makers[made].append(index)

    assert {made: where for made, where in makers.items() if len(where) > 1} == {}
    # The registry of images is one for all: its owner names who pulls in other environments, these name the registry.
    abroad = {env.images.registry, *env.images.readers} - {None}
    foreign = {
        made
        for other in map(load_environment, filter(None, abroad))
        for stack in (stacks[f"{other.name}-{each}"] for each in StackName)
        for kind, _, arguments in resources(stack)
        if kind in ("google_service_account", "google_artifact_registry_repository")
        for made in names_of(other, stack, kind, arguments)
    }
    seen = 0
    for index, stack in ours.items():
        backend = stack["terraform"]["backend"].get("gcs", {})
        for arguments in (*(each for _, _, each in resources(stack)), backend):
            for named in named_by(arguments):
                if named in foreign and named not in makers:
                    continue
                assert named in makers, f"{name}, stack {index}: {named} is made by no stack"
                assert makers[named][0] <= index, f"{name}, stack {index}: {named} is made by a later stack"
                seen += makers[named][0] < index
    assert seen > 40, "the patterns find names of other stacks"


@pytest.mark.parametrize("name", environment_names())
def test_what_names_another_resource_of_its_stack_comes_after_it(name: str, stacks: Synthesised) -> None:
    """By reference or by `depends_on`: on a fresh project a name alone orders nothing."""
    env = load_environment(name)
    for stack in (stacks[f"{name}-{each}"] for each in StackName):
        makers = {
            made: f"{kind}.{id}"
            for kind, id, arguments in resources(stack)
            for made in names_of(env, stack, kind, arguments)
        }
        for kind, id, arguments in resources(stack):
            address = f"{kind}.{id}"
            needed = {makers[named] for named in named_by(arguments) if named in makers} - {address}
            assert needed <= earlier_than(stack, address), f"{address} does not wait for {needed}"


def earlier_than(stack: dict[str, Any], address: str) -> set[str]:
    """Addresses that come before `address`, directly or not."""
    found: set[str] = set()
    open_ones = {address}
    while open_ones:
        kind, _, id = open_ones.pop().removeprefix("data.").partition(".")
        body = {**stack.get("resource", {}), **stack.get("data", {})}[kind][id]
        referred = {f"{each}.{name}" for each, name in REFERENCE.findall(json.dumps(body))}
        direct = referred | set(body.get("depends_on", []))
        open_ones |= direct - found
        found |= direct
    return found
