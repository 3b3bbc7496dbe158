"""No argument of the stacks is a field that Google has deprecated or switched off.

The witness is Google's discovery documents, which come with google-api-python-client: a field's `deprecated`, and the
words of its description. Terraform's names are Google's in another case; a block that the provider has renamed is not
found in the document, and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import googleapiclient.discovery_cache

from tests.unit.conftest import Synthesised
from tests.unit.infra.synthesised import resources

DOCUMENTS = Path(googleapiclient.discovery_cache.__file__).parent / "documents"
SCHEMAS = {
    "artifact_registry_repository": ("artifactregistry.v1", "Repository"),
    "billing_budget": ("billingbudgets.v1", "GoogleCloudBillingBudgetsV1Budget"),
    "bigquery_dataset": ("bigquery.v2", "Dataset"),
    "bigquery_table": ("bigquery.v2", "Table"),
    "cloud_scheduler_job": ("cloudscheduler.v1", "Job"),
    "cloudbuild_trigger": ("cloudbuild.v1", "BuildTrigger"),
    "cloudbuildv2_connection": ("cloudbuild.v2", "Connection"),
    "cloudbuildv2_repository": ("cloudbuild.v2", "Repository"),
    "compute_firewall": ("compute.v1", "Firewall"),
    "compute_network": ("compute.v1", "Network"),
    "compute_router": ("compute.v1", "Router"),
    "compute_router_nat": ("compute.v1", "RouterNat"),
    "compute_subnetwork": ("compute.v1", "Subnetwork"),
    "container_cluster": ("container.v1", "Cluster"),
    "container_node_pool": ("container.v1", "NodePool"),
    "eventarc_trigger": ("eventarc.v1", "Trigger"),
    "gke_hub_feature": ("gkehub.v1", "Feature"),
    "gke_hub_feature_membership": ("gkehub.v1", "MembershipFeatureSpec"),
    "iam_workload_identity_pool": ("iam.v1", "WorkloadIdentityPool"),
    "iam_workload_identity_pool_provider": ("iam.v1", "WorkloadIdentityPoolProvider"),
    "kms_crypto_key": ("cloudkms.v1", "CryptoKey"),
    "logging_metric": ("logging.v2", "LogMetric"),
    "logging_project_sink": ("logging.v2", "LogSink"),
    "monitoring_alert_policy": ("monitoring.v3", "AlertPolicy"),
    "monitoring_notification_channel": ("monitoring.v3", "NotificationChannel"),
    "project_iam_custom_role": ("iam.v1", "Role"),
    "pubsub_subscription": ("pubsub.v1", "Subscription"),
    "pubsub_topic": ("pubsub.v1", "Topic"),
    "secret_manager_secret": ("secretmanager.v1", "Secret"),
    "service_account": ("iam.v1", "ServiceAccount"),
    "storage_bucket": ("storage.v1", "Bucket"),
    "vertex_ai_endpoint": ("aiplatform.v1", "GoogleCloudAiplatformV1Endpoint"),
    "vertex_ai_feature_group": ("aiplatform.v1", "GoogleCloudAiplatformV1FeatureGroup"),
    "vertex_ai_feature_group_feature": ("aiplatform.v1", "GoogleCloudAiplatformV1Feature"),
    "vertex_ai_tensorboard": ("aiplatform.v1", "GoogleCloudAiplatformV1Tensorboard"),
    "workflows_workflow": ("workflows.v1", "Workflow"),
}
GONE = re.compile(r"\bdeprecated\b|no longer (?:supported|available)|unavailable in version|has been removed", re.I)
# Deprecated and in use all the same: why.
EXCEPTIONS = {
    f"container_cluster.{path}": "the provider reads and writes control_plane_endpoints_config through these"
    for path in (
        "master_authorized_networks_config",
        "private_cluster_config.enable_private_endpoint",
        "private_cluster_config.enable_private_nodes",
    )
} | {
    f"container_cluster.{path}": "of the first pool, which `remove_default_node_pool` takes away at once"
    for path in ("initial_node_count", "node_config")
}


@cache
def document(api: str) -> dict[str, Any]:
    schemas: dict[str, Any] = json.loads((DOCUMENTS / f"{api}.json").read_text(encoding="utf-8"))["schemas"]
    return schemas


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def gone(rule: dict[str, Any], value: Any) -> bool:
    """Whether a field is deprecated, or the value it has."""
    if rule.get("deprecated") or GONE.search(rule.get("description", "")):
        return True
    options = rule.get("enum", [])
    if not isinstance(value, str) or value not in options:
        return False
    at = options.index(value)
    words = rule.get("enumDescriptions", [""] * len(options))[at]
    return bool(rule.get("enumDeprecated", [False] * len(options))[at] or GONE.search(words))


def deprecated(api: str, schema: dict[str, Any], value: Any, path: str) -> Iterator[str]:
    """The paths of an argument's fields that Google has deprecated; what is within one is not looked at."""
    schema = document(api)[schema["$ref"]] if "$ref" in schema else schema
    if isinstance(value, list):
        inner = schema.get("items", schema)
        for item in value:
            yield from deprecated(api, inner, item, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            rule = schema.get("properties", {}).get(camel(name))
            if rule is None:
                continue
            if gone(rule, item):
                yield f"{path}.{name}"
            else:
                yield from deprecated(api, rule, item, f"{path}.{name}")


def test_no_argument_is_a_field_that_google_has_given_up(stacks: Synthesised) -> None:
    found, looked_at = set(), 0
    for stack in stacks.values():
        for kind, _, arguments in resources(stack):
            short = kind.removeprefix("google_")
            if short in SCHEMAS:
                api, name = SCHEMAS[short]
                found |= set(deprecated(api, document(api)[name], arguments, short))
                looked_at += 1
    assert looked_at > 200
    assert found == set(EXCEPTIONS)


def test_what_google_has_switched_off_is_found() -> None:
    """Fields, and a value, that earlier releases of these stacks had."""
    cluster = {"security_posture_config": {"mode": "BASIC", "vulnerability_mode": "VULNERABILITY_BASIC"}}
    (path,) = deprecated("container.v1", document("container.v1")["Cluster"], cluster, "cluster")
    assert path == "cluster.security_posture_config.vulnerability_mode"
    feature = {"fleet_default_member_config": {"configmanagement": {"management": "MANAGEMENT_AUTOMATIC"}}}
    (path,) = deprecated("gkehub.v1", document("gkehub.v1")["Feature"], feature, "feature")
    assert path.endswith("management")


def test_every_type_with_settings_of_its_own_is_looked_at(stacks: Synthesised) -> None:
    types = {kind.removeprefix("google_") for stack in stacks.values() for kind, _, _ in resources(stack)}
    without = {kind for kind in types - set(SCHEMAS) if not re.search(r"_iam_(member|audit_config)$", kind)}
    assert without == {"kms_key_ring", "monitoring_dashboard", "project_service", "storage_bucket_object"}
