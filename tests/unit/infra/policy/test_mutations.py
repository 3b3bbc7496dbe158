"""One security property of the product's own stacks is broken at a time, and the policy has to turn red each time.

Only our own checks are asked: what they hold does not hang on a version of checkov.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra import names
from infra.policy.checks import scan
from infra.policy.findings import covers, read_waivers
from infra.settings import Environment, load_environment
from infra.settings.sections import CiSystem
from infra.synthesised import Resource, SynthesisedStack, read_stack

Values = dict[str, Any]
WAIVERS = read_waivers()
GONE = object()
NOBODYS = "412345678903-compute@developer.gserviceaccount.com"
SYNC = "configmanagement.config_sync"


@pytest.fixture(scope="module")
def read(outdir: Path) -> Callable[[str], SynthesisedStack]:
    known: dict[str, SynthesisedStack] = {}

    def stack(name: str) -> SynthesisedStack:
        return known.setdefault(name, read_stack(outdir / "stacks" / name))

    return stack


def red(stack: SynthesisedStack, env: Environment) -> set[str]:
    """The checks that fail, waivers applied."""
    return {
        finding.check
        for finding in scan(stack, env)[1]
        if not any(covers(waiver, finding, env) for waiver in WAIVERS)
    }  # fmt: skip


def environment(stack: SynthesisedStack) -> Environment:
    return load_environment(stack.environment)


def changed(values: Values, path: tuple[str | int, ...], value: Any) -> Values:
    """A copy of `values` with something else, or nothing, at `path`; blocks on the way are made."""
    copied = copy.deepcopy(values)
    place: Any = copied
    for part in path[:-1]:
        place = place[part] if isinstance(part, int) else place.setdefault(part, {})
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copied


def with_values(stack: SynthesisedStack, old: Resource, values: Values) -> SynthesisedStack:
    return replace(
        stack, resources=tuple(replace(old, values=values) if one is old else one for one in stack.resources)
    )


def of_type(stack: SynthesisedStack, kind: str, **having: Any) -> list[Resource]:
    return [
        one
        for one in stack.resources
        if one.type == f"google_{kind}" and all(one.values.get(key) == value for key, value in having.items())
    ]


def parts(path: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in path.split("."))


CASES: list[tuple[str, str, str, Any, str]] = [
    # stack, type, argument, what it is changed to, the check that has to fail
    ("data", "storage_bucket", "public_access_prevention", "inherited", "FND_BUCKET_ACCESS"),
    ("data", "storage_bucket", "public_access_prevention", GONE, "FND_BUCKET_ACCESS"),
    ("data", "storage_bucket", "uniform_bucket_level_access", False, "FND_BUCKET_ACCESS"),
    ("data", "storage_bucket", "uniform_bucket_level_access", "false", "FND_BUCKET_ACCESS"),
    ("data", "storage_bucket", "versioning.enabled", False, "FND_VERSIONING"),
    ("data", "storage_bucket", "versioning", GONE, "FND_VERSIONING"),
    ("data", "storage_bucket", "encryption", GONE, "FND_ENCRYPTION"),
    ("data", "storage_bucket", "encryption.default_kms_key_name", "projects/x/locations/y/k", "FND_ENCRYPTION"),
    ("data", "storage_bucket", "force_destroy", True, "FND_PROTECTION"),
    ("data", "storage_bucket", "deletion_policy", "DELETE", "FND_PROTECTION"),
    ("data", "storage_bucket", "soft_delete_policy.retention_duration_seconds", 0, "FND_PROTECTION"),
    ("data", "storage_bucket", "lifecycle_rule.0.condition", {"with_state": "ANY"}, "FND_PROTECTION"),
    ("data", "storage_bucket", "location", "US", "FND_REGION"),
    ("data", "storage_bucket", "project", "somebody-elses", "FND_PROJECT"),
    ("bootstrap", "storage_bucket", "lifecycle.prevent_destroy", False, "FND_PROTECTION"),
    ("bootstrap", "storage_bucket", "lifecycle", GONE, "FND_PROTECTION"),
    ("data", "artifact_registry_repository", "docker_config.immutable_tags", False, "FND_IMAGES"),
    ("data", "artifact_registry_repository", "docker_config", GONE, "FND_IMAGES"),
    ("data", "artifact_registry_repository", "vulnerability_scanning_config.enablement_config", "DISABLED",
     "FND_IMAGES"),
    ("data", "bigquery_dataset", "default_encryption_configuration", GONE, "FND_ENCRYPTION"),
    ("data", "bigquery_dataset", "delete_contents_on_destroy", True, "FND_PROTECTION"),
    ("data", "bigquery_dataset", "access", [{"role": "READER", "special_group": "allAuthenticatedUsers"}],
     "FND_PUBLIC"),
    ("data", "bigquery_table", "deletion_protection", False, "FND_PROTECTION"),
    ("data", "secret_manager_secret", "deletion_protection", False, "FND_PROTECTION"),
    ("data", "secret_manager_secret", "replication", {"auto": {}}, "FND_REGION"),
    ("data", "secret_manager_secret", "replication.user_managed.replicas.0.customer_managed_encryption", GONE,
     "FND_ENCRYPTION"),
    ("delivery", "pubsub_topic", "kms_key_name", GONE, "FND_ENCRYPTION"),
    ("delivery", "workflows_workflow", "source_contents", "url: x/pipelineJobs\ncommon: {}", "FND_ENCRYPTION"),
    ("delivery", "workflows_workflow", "source_contents",
     'url: x/pipelineJobs\ncommon: {"encryptionSpec": {"kmsKeyName": "projects/x/locations/y/k"}}', "FND_ENCRYPTION"),
    ("delivery", "cloud_scheduler_job", "http_target.uri",
     "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/r/pipelineJobs", "FND_ENCRYPTION"),
    ("delivery", "pubsub_topic", "message_storage_policy", GONE, "FND_REGION"),
    ("delivery", "pubsub_topic", "message_storage_policy.allowed_persistence_regions", ["us-east1"], "FND_REGION"),
    # the cluster
    ("runtime", "container_cluster", "private_cluster_config.enable_private_nodes", False, "FND_CONTROL_PLANE"),
    ("runtime", "container_cluster", "private_cluster_config.enable_private_endpoint", False, "FND_CONTROL_PLANE"),
    ("runtime", "container_cluster", "private_cluster_config", GONE, "FND_CONTROL_PLANE"),
    ("runtime", "container_cluster", "master_authorized_networks_config.cidr_blocks.0.cidr_block", "0.0.0.0/0",
     "FND_CONTROL_PLANE"),
    ("runtime", "container_cluster", "master_authorized_networks_config.cidr_blocks.0.cidr_block", "34.0.0.0/8",
     "FND_CONTROL_PLANE"),
    ("runtime", "container_cluster", "master_authorized_networks_config", GONE, "FND_CONTROL_PLANE"),
    ("runtime", "container_cluster", "master_authorized_networks_config.gcp_public_cidrs_access_enabled", True,
     "FND_CONTROL_PLANE"),
    *(("runtime", "container_cluster", f"control_plane_endpoints_config.dns_endpoint_config.enable_k8s_{each}_via_dns",
       True, "FND_CONTROL_PLANE") for each in ("tokens", "certs")),
    ("runtime", "container_cluster", "workload_identity_config", GONE, "FND_WORKLOAD_IDENTITY"),
    ("runtime", "container_cluster", "node_config.workload_metadata_config.mode", "GCE_METADATA",
     "FND_WORKLOAD_IDENTITY"),
    ("runtime", "container_cluster", "enable_shielded_nodes", False, "FND_SHIELDED"),
    ("runtime", "container_cluster", "enable_legacy_abac", True, "FND_LEGACY"),
    ("runtime", "container_cluster", "master_auth.client_certificate_config.issue_client_certificate", True,
     "FND_LEGACY"),
    ("runtime", "container_cluster", "logging_service", "none", "FND_LOGGING"),
    ("runtime", "container_cluster", "monitoring_service", "none", "FND_LOGGING"),
    ("runtime", "container_cluster", "logging_config", GONE, "FND_LOGGING"),
    ("runtime", "container_cluster", "logging_config.enable_components", ["SYSTEM_COMPONENTS"], "FND_LOGGING"),
    ("runtime", "container_cluster", "monitoring_config.managed_prometheus.enabled", False, "FND_LOGGING"),
    ("runtime", "container_cluster", "deletion_protection", False, "FND_PROTECTION"),
    ("runtime", "container_cluster", "deletion_protection", GONE, "FND_PROTECTION"),
    ("runtime", "container_cluster", "database_encryption.state", "DECRYPTED", "FND_ENCRYPTION"),
    ("runtime", "container_cluster", "database_encryption", GONE, "FND_ENCRYPTION"),
    ("runtime", "container_cluster", "datapath_provider", "LEGACY_DATAPATH", "FND_NETWORK_POLICY"),
    ("runtime", "container_cluster", "enable_intranode_visibility", False, "FND_NETWORK_POLICY"),
    ("runtime", "container_cluster", "network", "default", "FND_PRIVATE_NODES"),
    ("runtime", "container_cluster", "node_config.service_account", GONE, "FND_DEFAULT_ACCOUNT"),
    ("runtime", "container_cluster", "node_config.service_account", "default", "FND_DEFAULT_ACCOUNT"),
    ("runtime", "container_cluster", "remove_default_node_pool", False, "FND_FIRST_POOL"),
    ("runtime", "container_cluster", "binary_authorization.evaluation_mode", "DISABLED", "FND_IMAGES"),
    ("runtime", "container_cluster", "security_posture_config.mode", "DISABLED", "FND_POSTURE"),
    ("runtime", "container_cluster", "release_channel.channel", "UNSPECIFIED", "FND_UPGRADES"),
    ("runtime", "container_cluster", "resource_labels.owner", GONE, "FND_LABELS"),
    ("runtime", "container_cluster", "resource_labels.environment", "dev", "FND_LABELS"),
    ("runtime", "container_cluster", "location", "us-central1", "FND_REGION"),
    ("runtime", "container_node_pool", "node_config.service_account", NOBODYS, "FND_DEFAULT_ACCOUNT"),
    ("runtime", "container_node_pool", "node_config.service_account", GONE, "FND_DEFAULT_ACCOUNT"),
    ("runtime", "container_node_pool", "node_config.oauth_scopes", GONE, "FND_SCOPES"),
    ("runtime", "container_node_pool", "node_config.oauth_scopes.0", "https://www.googleapis.com/auth/compute",
     "FND_SCOPES"),
    ("runtime", "container_node_pool", "node_config.shielded_instance_config.enable_secure_boot", False,
     "FND_SHIELDED"),
    ("runtime", "container_node_pool", "node_config.shielded_instance_config", GONE, "FND_SHIELDED"),
    ("runtime", "container_node_pool", "node_config.workload_metadata_config", GONE, "FND_WORKLOAD_IDENTITY"),
    ("runtime", "container_node_pool", "node_config.metadata.disable-legacy-endpoints", "false", "FND_LEGACY"),
    ("runtime", "container_node_pool", "node_config.kubelet_config",
     {"insecure_kubelet_readonly_port_enabled": "TRUE"}, "FND_LEGACY"),
    ("runtime", "container_node_pool", "node_config.boot_disk_kms_key", GONE, "FND_ENCRYPTION"),
    ("runtime", "container_node_pool", "network_config", {"enable_private_nodes": False}, "FND_PRIVATE_NODES"),
    ("runtime", "container_node_pool", "management.auto_upgrade", False, "FND_UPGRADES"),
    ("runtime", "container_node_pool", "management.auto_repair", False, "FND_UPGRADES"),
    ("runtime", "container_node_pool", "node_config.image_type", "UBUNTU_CONTAINERD", "FND_UPGRADES"),
    ("runtime", "gke_hub_feature_membership", f"{SYNC}.git.sync_repo", "https://github.com/else/where", "FND_SYNCED"),
    ("runtime", "gke_hub_feature_membership", f"{SYNC}.oci.sync_repo", "europe-west1-docker.pkg.dev/else/where/x:1",
     "FND_SYNCED"),
    ("runtime", "gke_hub_feature", f"fleet_default_member_config.{SYNC}.enabled", True, "FND_SYNCED"),
    ("runtime", "gke_hub_feature_membership", f"{SYNC}.oci.sync_repo", GONE, "FND_SYNCED"),
    ("runtime", "gke_hub_feature_membership", f"{SYNC}.oci.secret_type", "none", "FND_SYNCED"),
    ("runtime", "gke_hub_feature_membership", f"{SYNC}.oci.gcp_service_account_email", NOBODYS, "FND_SYNCED"),
    ("delivery", "cloud_scheduler_job", "paused", True, "FND_PAUSED"),
    ("runtime", "gke_hub_feature_membership", f"{SYNC}.prevent_drift", False, "FND_CONFIG_SYNC"),
    ("runtime", "vertex_ai_endpoint", "encryption_spec", GONE, "FND_ENCRYPTION"),
    ("runtime", "vertex_ai_endpoint", "deletion_policy", "DELETE", "FND_PROTECTION"),
    ("runtime", "vertex_ai_endpoint", "predict_request_response_logging_config.enabled", False, "FND_LOGGING"),
    ("runtime", "vertex_ai_tensorboard", "encryption_spec", GONE, "FND_ENCRYPTION"),
    # the network
    ("foundation", "compute_network", "auto_create_subnetworks", True, "FND_NETWORK"),
    ("foundation", "compute_network", "deletion_policy", GONE, "FND_PROTECTION"),
    ("foundation", "compute_subnetwork", "private_ip_google_access", False, "FND_NETWORK"),
    ("foundation", "compute_subnetwork", "log_config", GONE, "FND_NETWORK"),
    ("foundation", "compute_subnetwork", "ipv6_access_type", "EXTERNAL", "FND_NETWORK"),
    ("foundation", "compute_router_nat", "log_config.enable", False, "FND_NETWORK"),
    ("foundation", "project_service", "disable_on_destroy", True, "FND_PROTECTION"),
    # what has to be there first
    ("foundation", "compute_network", "depends_on", GONE, "FND_WAITS"),
    ("foundation", "compute_subnetwork", "network", "prod-network", "FND_WAITS"),
    ("foundation", "compute_router_nat", "router", "prod-router", "FND_WAITS"),
    ("foundation", "compute_firewall", "network", "prod-network", "FND_WAITS"),
    ("bootstrap", "iam_workload_identity_pool", "depends_on", GONE, "FND_WAITS"),
    ("bootstrap", "kms_key_ring", "depends_on", GONE, "FND_WAITS"),
    # delivery
    ("delivery", "workflows_workflow", "service_account", GONE, "FND_DEFAULT_ACCOUNT"),
    ("delivery", "workflows_workflow", "deletion_protection", False, "FND_PROTECTION"),
    ("delivery", "workflows_workflow", "call_log_level", "LOG_NONE", "FND_LOGGING"),
    ("delivery", "eventarc_trigger", "service_account", GONE, "FND_DEFAULT_ACCOUNT"),
    ("delivery", "cloud_scheduler_job", "http_target.uri", "http://example.com", "FND_SCHEDULE"),
    ("delivery", "cloud_scheduler_job", "http_target.oauth_token", GONE, "FND_SCHEDULE"),
    ("delivery", "monitoring_alert_policy", "user_labels.owner", GONE, "FND_LABELS"),
    # who comes in, and what is logged of it
    ("bootstrap", "iam_workload_identity_pool_provider", "attribute_condition", GONE, "FND_FEDERATION"),
    ("bootstrap", "iam_workload_identity_pool_provider", "attribute_condition", "true", "FND_FEDERATION"),
    ("bootstrap", "iam_workload_identity_pool_provider", "oidc.issuer_uri", "https://example.com", "FND_FEDERATION"),
    ("bootstrap", "iam_workload_identity_pool", "lifecycle.prevent_destroy", False, "FND_PROTECTION"),
    ("bootstrap", "kms_crypto_key", "rotation_period", GONE, "FND_ROTATION"),
    ("bootstrap", "kms_crypto_key", "rotation_period", "31536000s", "FND_ROTATION"),
    ("bootstrap", "kms_crypto_key", "lifecycle", GONE, "FND_PROTECTION"),
    ("bootstrap", "project_iam_audit_config", "audit_log_config.0", GONE, "FND_LOGGING"),
    ("bootstrap", "project_iam_audit_config", "audit_log_config.0.exempted_members", ["user:a@b.c"], "FND_LOGGING"),
    ("bootstrap", "project_iam_audit_config", "service", "storage.googleapis.com", "FND_LOGGING"),
]  # fmt: skip


@pytest.mark.parametrize(("stack", "kind", "path", "value", "check"), CASES)
def test_a_broken_property_turns_the_policy_red(
    read: Callable[[str], SynthesisedStack], stack: str, kind: str, path: str, value: Any, check: str
) -> None:
    owner = "dev" if kind == "artifact_registry_repository" else "prod"  # production pulls from dev's registry
    intact = read(f"{owner}-{stack}")
    resources = of_type(intact, kind)
    assert resources
    env = environment(intact).model_copy(update={"customer_keys": True})
    for resource in resources:
        assert check in red(with_values(intact, resource, changed(resource.values, parts(path), value)), env), (
            resource.path
        )


@pytest.mark.parametrize(
    ("argument", "value", "check"),
    [
        ("source_ranges", ["0.0.0.0/0"], "FND_FIREWALL"),
        ("source_ranges", ["::/0"], "FND_FIREWALL"),
        ("source_ranges", ["8.0.0.0/7", "10.0.0.0/8"], "FND_FIREWALL"),
        ("source_ranges", GONE, "FND_FIREWALL"),
        ("allow", [{"protocol": "all"}], "FND_FIREWALL"),
        ("target_tags", GONE, "FND_FIREWALL"),
    ],
)
def test_a_firewall_that_lets_in_more_turns_the_policy_red(
    read: Callable[[str], SynthesisedStack], argument: str, value: Any, check: str
) -> None:
    foundation = read("prod-foundation")
    rules = [rule for rule in of_type(foundation, "compute_firewall") if "allow" in rule.values]
    assert len(rules) == 2
    for rule in rules:
        broken = with_values(foundation, rule, changed(rule.values, (argument,), value))
        assert check in red(broken, environment(foundation)), rule.path


def test_a_proxy_that_lets_in_every_port_or_unlogged_turns_the_policy_red(
    read: Callable[[str], SynthesisedStack],
) -> None:
    foundation = read("prod-foundation")
    (rule,) = of_type(foundation, "compute_firewall", name="prod-allow-iap")
    for values in (changed(rule.values, ("allow", 0, "ports"), GONE), changed(rule.values, ("log_config",), GONE)):
        assert red(with_values(foundation, rule, values), environment(foundation)) == {"FND_FIREWALL"}


GRANTS = ["bootstrap", "foundation", "data", "runtime", "delivery"]


def grants_of(stack: SynthesisedStack) -> Iterator[Resource]:
    found = [one for one in stack.resources if one.type.endswith("_iam_member")]
    assert found
    return iter(found)


@pytest.mark.prove(every=3)
@pytest.mark.parametrize("stack", GRANTS)
@pytest.mark.parametrize(
    ("argument", "value", "checks"),
    [
        ("role", "roles/owner", {"FND_PRIMITIVE_ROLE"}),
        ("role", "roles/editor", {"FND_PRIMITIVE_ROLE"}),
        ("role", "roles/viewer", {"FND_PRIMITIVE_ROLE"}),
        ("role", "roles/storage.admin", {"FND_LEAST_PRIVILEGE"}),
        ("role", "roles/iam.serviceAccountTokenCreator", {"FND_LEAST_PRIVILEGE"}),
        ("role", "roles/iam.serviceAccountKeyAdmin", {"FND_KEY"}),
        ("member", "allUsers", {"FND_PUBLIC"}),
        ("member", "allAuthenticatedUsers", {"FND_PUBLIC"}),
        ("member", "domain:example.com", {"FND_PUBLIC"}),
        ("member", f"serviceAccount:{NOBODYS}", {"FND_DEFAULT_ACCOUNT"}),
        ("member", "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/x/*",
         {"FND_FEDERATION"}),
    ],
)  # fmt: skip
def test_every_grant_that_is_widened_turns_the_policy_red(
    read: Callable[[str], SynthesisedStack], stack: str, argument: str, value: str, checks: set[str]
) -> None:
    prod = read(f"prod-{stack}")
    for grant in grants_of(prod):
        broken = with_values(prod, grant, changed(grant.values, (argument,), value))
        assert checks <= red(broken, environment(prod)), grant.path


@pytest.mark.parametrize(
    "role", ["roles/storage.objectViewer", "roles/bigquery.dataViewer", "roles/secretmanager.secretAccessor"]
)
def test_what_is_kept_is_never_granted_in_the_whole_project(read: Callable[[str], SynthesisedStack], role: str) -> None:
    foundation = read("prod-foundation")
    for grant in of_type(foundation, "project_iam_member"):
        broken = with_values(foundation, grant, changed(grant.values, ("role",), role))
        assert "FND_LEAST_PRIVILEGE" in red(broken, environment(foundation))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (GONE, "none"),
        ({"title": "t", "expression": "true"}, "true"),
        ({"title": "t", "expression": "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', [])"
          ".hasOnly(['roles/storage.admin'])"}, "admin"),
    ],
)  # fmt: skip
def test_who_grants_roles_without_a_bound_turns_the_policy_red(
    read: Callable[[str], SynthesisedStack], condition: Any, said: str
) -> None:
    bootstrap = read("prod-bootstrap")
    (admin,) = of_type(bootstrap, "project_iam_member", role="roles/resourcemanager.projectIamAdmin")
    broken = with_values(bootstrap, admin, changed(admin.values, ("condition",), condition))
    assert red(broken, environment(bootstrap)) == {"FND_BOUNDED"}, said


@pytest.mark.parametrize(
    ("role", "permission", "check"),
    [
        ("prod_plan", "storage.buckets.delete", "FND_PLAN_READS"),
        ("prod_plan", "iam.serviceAccounts.setIamPolicy", "FND_PLAN_READS"),
        ("prod_plan", "serviceusage.services.enable", "FND_PLAN_READS"),
        ("prod_apply", "iam.serviceAccounts.actAs", "FND_LEAST_PRIVILEGE"),
        ("prod_apply", "iam.serviceAccountKeys.create", "FND_KEY"),
        ("prod_apply", "resourcemanager.projects.setIamPolicy", "FND_LEAST_PRIVILEGE"),
        ("prod_apply", "storage.*", "FND_LEAST_PRIVILEGE"),
    ],
)
def test_a_custom_role_that_grows_turns_the_policy_red(
    read: Callable[[str], SynthesisedStack], role: str, permission: str, check: str
) -> None:
    bootstrap = read("prod-bootstrap")
    (custom,) = of_type(bootstrap, "project_iam_custom_role", role_id=role)
    more = [*custom.values["permissions"], permission]
    broken = with_values(bootstrap, custom, changed(custom.values, ("permissions",), more))
    assert check in red(broken, environment(bootstrap))


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("member", "principalSet://cloudresourcemanager.googleapis.com/projects/1/type/ServiceAccount"),
        ("role", "roles/artifactregistry.writer"),
    ],
)
def test_accounts_of_other_projects_pull_from_the_registry_and_do_nothing_else(
    read: Callable[[str], SynthesisedStack], argument: str, value: str
) -> None:
    data = read("dev-data")
    grants = of_type(data, "artifact_registry_repository_iam_member")
    grant = next(each for each in grants if str(each.values["member"]).startswith("principalSet:"))
    broken = with_values(data, grant, changed(grant.values, (argument,), value))
    assert "FND_FEDERATION" in red(broken, environment(data))


@pytest.mark.parametrize(
    ("who", "ref", "ci", "checks"),
    [
        ("apply", "repository_ref/acme/fonderie@refs/heads/main", "github_actions", set()),
        ("apply", "repository_ref/acme/fonderie@refs/heads/main", "cloud_build", {"FND_FEDERATION"}),
        ("apply", "repository_ref/acme/fonderie@refs/heads/main", "none", {"FND_FEDERATION"}),
        ("apply", "repository/acme/fonderie", "github_actions", {"FND_FEDERATION"}),
        ("apply", "repository_ref/acme/fonderie@refs/heads/other", "github_actions", {"FND_FEDERATION"}),
        ("plan", "repository/acme/fonderie", "github_actions", set()),
        ("plan", "repository/acme/fonderie", "cloud_build", {"FND_FEDERATION"}),
        ("plan", "repository/acme/other", "github_actions", {"FND_FEDERATION"}),
    ],
)
def test_who_comes_from_outside_is_the_repository_and_only_while_its_workflows_run(
    read: Callable[[str], SynthesisedStack], who: str, ref: str, ci: str, checks: set[str]
) -> None:
    bootstrap = read("prod-bootstrap")
    env = environment(bootstrap)
    env = env.model_copy(update={"git": env.git.model_copy(update={"ci": CiSystem(ci)})})
    members = {one.path: one for one in of_type(bootstrap, "service_account_iam_member")}
    (grant,) = (each for path, each in members.items() if path.startswith(f"prod-bootstrap/{who}/"))
    member = f"principalSet://iam.googleapis.com/{names.identity_pool_path(env)}/attribute.{ref}"
    values = {**grant.values, "role": "roles/iam.workloadIdentityUser", "member": member}
    assert red(with_values(bootstrap, grant, values), env) == checks


@pytest.mark.parametrize(
    ("name", "path", "value", "check"),
    [
        ("prod-apply", "approval_config", GONE, "FND_APPROVAL"),
        ("prod-apply", "approval_config.approval_required", False, "FND_APPROVAL"),
        ("prod-apply", "repository_event_config.push.branch", ".*", "FND_TRIGGER"),
        ("prod-apply", "service_account", GONE, "FND_DEFAULT_ACCOUNT"),
        ("prod-preview", "service_account",
         "projects/acme-ml-prod/serviceAccounts/prod-apply@acme-ml-prod.iam.gserviceaccount.com", "FND_TRIGGER"),
        ("prod-preview", "repository_event_config.pull_request.comment_control", "COMMENTS_DISABLED", "FND_TRIGGER"),
        ("prod-drift", "git_file_source.revision", "refs/heads/feature", "FND_TRIGGER"),
        ("dev-images", "substitutions._BASE_IMAGE", "python:3.11", "FND_DIGEST"),
    ],
)  # fmt: skip
def test_a_trigger_that_runs_for_others_turns_the_policy_red(
    read: Callable[[str], SynthesisedStack], name: str, path: str, value: Any, check: str
) -> None:
    delivery = read(f"{name.partition('-')[0]}-delivery")
    (trigger,) = of_type(delivery, "cloudbuild_trigger", name=name)
    broken = with_values(delivery, trigger, changed(trigger.values, parts(path), value))
    assert check in red(broken, environment(delivery))


@pytest.mark.parametrize(
    ("kind", "values", "check"),
    [
        ("service_account_key", {"service_account_id": "a"}, "FND_KEY"),
        ("storage_hmac_key", {"service_account_email": "a@b"}, "FND_KEY"),
        ("secret_manager_secret_version", {"secret": "s", "secret_data": "x"}, "FND_SECRET_VALUE"),
        ("storage_bucket_acl", {"bucket": "b", "role_entity": ["READER:allUsers"]}, "FND_PUBLIC"),
        ("storage_bucket_acl", {"bucket": "b", "predefined_acl": "publicRead"}, "FND_PUBLIC"),
        ("storage_bucket_access_control", {"bucket": "b", "entity": "allUsers", "role": "READER"}, "FND_PUBLIC"),
        ("project_iam_policy", {"policy_data": '{"bindings": [{"role": "roles/owner"}]}'}, "FND_PRIMITIVE_ROLE"),
        ("project_iam_policy", {"policy_data": "{}"}, "FND_LEAST_PRIVILEGE"),
        ("project_iam_binding", {"role": "roles/editor", "members": ["user:a@b.c"]}, "FND_PRIMITIVE_ROLE"),
        ("organization_iam_member", {"role": "roles/bigquery.dataViewer", "member": "user:a@b.c"},
         "FND_LEAST_PRIVILEGE"),
    ],
)  # fmt: skip
def test_a_resource_that_should_not_be_there_turns_the_policy_red(
    read: Callable[[str], SynthesisedStack], kind: str, values: Values, check: str
) -> None:
    data = read("prod-data")
    added = replace(data, resources=(*data.resources, Resource(f"google_{kind}", "x", "prod-data/x", values)))
    assert check in red(added, environment(data))


def test_a_trail_that_is_taken_out_turns_the_policy_red(read: Callable[[str], SynthesisedStack]) -> None:
    for stack, kind in (("bootstrap", "project_iam_audit_config"), ("foundation", "compute_firewall")):
        prod = read(f"prod-{stack}")
        without = tuple(one for one in prod.resources if one.type != f"google_{kind}")
        assert red(replace(prod, resources=without), environment(prod)) == {"FND_MISSING"}


def test_a_stack_in_another_project_or_under_other_labels_turns_the_policy_red(
    read: Callable[[str], SynthesisedStack],
) -> None:
    data = read("prod-data")
    assert red(replace(data, project="somebody-elses"), environment(data)) >= {"FND_PROJECT"}
    labels = data.default_labels | {"owner": "nobody"}
    assert red(replace(data, default_labels=labels), environment(data)) == {"FND_LABELS"}


def test_production_without_keys_turns_the_policy_red(read: Callable[[str], SynthesisedStack]) -> None:
    data = read("dev-data")
    assert red(data, environment(data)) == set()
    as_prod = load_environment("prod").model_copy(update={"customer_keys": False})
    assert "FND_ENCRYPTION" in red(data, as_prod)


def test_a_registry_without_a_key_of_our_own_turns_the_policy_red_where_there_are_keys(
    read: Callable[[str], SynthesisedStack],
) -> None:
    data = read("dev-data")
    (registry,) = of_type(data, "artifact_registry_repository")
    alone = replace(data, resources=(registry,))
    assert red(alone, environment(data)) == set()
    assert red(alone, environment(data).model_copy(update={"customer_keys": True})) == {"FND_ENCRYPTION"}


# Switches whose other side is no less secure: what it costs, how it is measured, how long it is kept.
HARMLESS = {
    "cleanup_policy_dry_run",
    "addons_config.gcs_fuse_csi_driver_config.enabled",
    "control_plane_endpoints_config.dns_endpoint_config.allow_external_traffic",  # how people reach it, asked by IAM
    "cost_management_config.enabled",
    "force_delete",
    "node_config.spot",
    "vertical_pod_autoscaling.enabled",
}


def switches(values: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], bool]]:
    for key, inner in (
        values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    ):
        if isinstance(inner, bool):
            yield (*path, key), inner
        else:
            yield from switches(inner, (*path, key))


@pytest.mark.parametrize("stack", GRANTS)
def test_every_switch_that_is_turned_turns_the_policy_red(read: Callable[[str], SynthesisedStack], stack: str) -> None:
    prod = read(f"prod-{stack}")
    seen: set[tuple[str, str]] = set()
    for resource in prod.resources:
        for path, value in switches(resource.values):
            where = ".".join(part for part in path if isinstance(part, str))
            if (resource.type, where) in seen or where in HARMLESS:
                continue
            seen.add((resource.type, where))
            turned = with_values(prod, resource, changed(resource.values, path, not value))
            assert red(turned, environment(prod)), f"{resource.type} {where} = {not value}"
    assert seen
