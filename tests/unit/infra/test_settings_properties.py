"""Laws over every settings file that is accepted: it synthesises, and Google accepts every name that comes out."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from infra.main import synthesise
from infra.settings import Environment
from infra.settings.rules import problems_of
from infra.settings.value_types import REGIONS
from tests.unit.conftest import stacks_of
from tests.unit.infra.synthesised import resources
from tests.unit.infra.workloads import two_models

# What Google allows, by type and the argument that names it. Sources: the reference of each API's resource.
RULES = {
    "artifact_registry_repository.repository_id": r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
    "bigquery_dataset.dataset_id": r"\w{1,1024}",
    "bigquery_table.table_id": r"\w{1,1024}",
    "cloud_scheduler_job.name": r"[A-Za-z0-9_-]{1,500}",
    "cloudbuild_trigger.name": r"[A-Za-z0-9-]{1,64}",
    "cloudbuildv2_connection.name": r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
    "cloudbuildv2_repository.name": r"[A-Za-z0-9][\w.-]{0,62}",
    "compute_firewall.name": r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
    "compute_network.name": r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
    "compute_router.name": r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
    "compute_router_nat.name": r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
    "compute_subnetwork.name": r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?",
    "container_cluster.name": r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?",
    "container_node_pool.name": r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?",
    "eventarc_trigger.name": r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
    "iam_workload_identity_pool.workload_identity_pool_id": r"(?!gcp-)[a-z0-9-]{4,32}",
    "iam_workload_identity_pool_provider.workload_identity_pool_provider_id": r"(?!gcp-)[a-z0-9-]{4,32}",
    "kms_crypto_key.name": r"[\w-]{1,63}",
    "kms_key_ring.name": r"[\w-]{1,63}",
    "logging_metric.name": r"[A-Za-z][\w.,+!*',()%/-]{0,99}",
    "project_iam_custom_role.role_id": r"[\w.]{3,64}",
    "pubsub_topic.name": r"(?!goog)[A-Za-z][\w.~+%-]{2,254}",
    "secret_manager_secret.secret_id": r"[\w-]{1,255}",
    "service_account.account_id": r"[a-z][-a-z0-9]{4,28}[a-z0-9]",
    "storage_bucket.name": r"(?!goog)(?!.*google)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
    "vertex_ai_endpoint.name": r"[1-9]\d{0,9}",
    "vertex_ai_feature_group.name": r"[a-z_][a-z0-9_]{0,59}",
    "vertex_ai_feature_group_feature.name": r"[a-z_][a-z0-9_]{0,59}",
    "workflows_workflow.name": r"[A-Za-z][\w-]{0,62}[A-Za-z0-9]",
}
DIGEST = "@sha256:" + "a" * 64


@st.composite
def accepted(draw: st.DrawFn) -> Environment:
    """An environment that no rule refuses."""
    flag = st.booleans()
    name = draw(st.one_of(st.just("prod"), st.from_regex(r"[a-z][a-z0-9]{1,7}", fullmatch=True)))
    production = name.startswith("prod")
    ephemeral = not production and draw(flag)
    cluster = draw(flag)
    ci = draw(st.sampled_from(["cloud_build", "github_actions", "none"]))
    replicas = draw(st.integers(2 if production else 1, 5))
    nodes = draw(st.integers(2 if production else 1, 5))
    values: dict[str, Any] = {
        "name": name if not re.search("^gcp|goog", name) else "dev",
        "project_id": draw(st.from_regex(r"(?!.*(goog|ssl))[a-z][a-z0-9-]{4,28}[a-z0-9]", fullmatch=True)),
        "project_number": draw(st.integers(100_000, 10**14)),
        "region": draw(st.sampled_from(sorted(REGIONS))),
        "owner": draw(st.from_regex(r"[a-z0-9_-]{1,63}", fullmatch=True)),
        "labels": draw(st.dictionaries(st.from_regex(r"x[a-z0-9_-]{0,62}", fullmatch=True), st.just("y"), max_size=3)),
        "backend": "local" if ephemeral else "gcs",
        "ephemeral": ephemeral,
        "protected": production or (not ephemeral and draw(flag)),
        "customer_keys": draw(flag),
        "approval": production or draw(flag),
        "git": {"repository": "acme/fonderie", "ci": ci, "app_installation_id": 7 if ci == "cloud_build" else 0},
        "network": {
            "nodes": "10.0.0.0/22",
            "pods": "10.32.0.0/15",
            "services": "10.8.0.0/22",
            "control_plane": "172.16.0.0/28",
        },
        "cluster": {"system": {"min_nodes": nodes, "max_nodes": nodes + draw(st.integers(0, 5))}},
        "serving": {"min_replicas": replicas, "max_replicas": replicas + draw(st.integers(0, 5))},
        "alerts": {"emails": draw(st.lists(st.sampled_from(["a@b.example", "c@d.example"]), unique=True))},
        "budget": draw(st.none() | st.just({"billing_account": "01AB23-45CD67-89EF01", "monthly_usd": 10})),
        "features": {
            "cluster": cluster,
            "config_sync": cluster and draw(flag),
            "tensorboard": draw(flag),
            "continuous_training": draw(flag),
        },
    }
    registry = f"{values['region']}-docker.pkg.dev/{values['project_id']}/{values['name']}-images"
    if draw(flag):
        values["images"] = {each: f"{registry}/{each}{DIGEST}" for each in ("pipelines", "serving")}
    if draw(flag):
        values["kubeflow"] = {"manifests": f"{registry}/manifests-{values['name']}{DIGEST}"}
    env = Environment.model_validate(values)
    assert problems_of(env) == []
    return env


# Half a second an example: as many as the suite can pay for, and no search for a smaller one.
@settings(max_examples=6, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
@given(env=accepted())
def test_whatever_is_accepted_synthesises_with_names_google_accepts(env: Environment) -> None:
    with tempfile.TemporaryDirectory() as folder:
        synthesise([env], Path(folder), two_models)
        stacks = stacks_of(Path(folder))
    named = 0
    for stack in stacks.values():
        for kind, id, arguments in resources(stack):
            for rule, pattern in RULES.items():
                type, _, argument = rule.partition(".")
                value = arguments.get(argument)
                if kind == f"google_{type}" and isinstance(value, str) and "${" not in value:
                    assert re.fullmatch(pattern, value), f"{id}: {value} is no name of a {type}"
                    named += 1
    assert named >= 40
    assert all(stack["provider"]["google"][0]["project"] == env.project_id for stack in stacks.values())


def test_every_type_that_we_name_has_a_rule(stacks: dict[str, Any]) -> None:
    """A new type brings its rule along; what others name (members, services, parts of a policy) needs none."""
    parts = "_iam_member$ _service$ audit_config budget object notification_channel alert_policy dashboard"
    unnamed = re.compile("|".join([*parts.split(), "tensorboard", "gke_hub_feature"]))
    used = {kind.removeprefix("google_") for stack in stacks.values() for kind, _, _ in resources(stack)}
    assert {kind for kind in used if not unnamed.search(kind)} <= {rule.partition(".")[0] for rule in RULES}
