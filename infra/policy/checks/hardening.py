"""How single arguments must stand: a table of type, argument and value, each row a sentence of why.

An argument that is left out counts as Google's default does: `default` says whether that is good enough.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.policy.checks.subject import Check, CheckSubject, at, word
from infra.settings import Environment


@dataclass(frozen=True)
class Need:
    """What stands at `path` of a `type` matches `pattern`; `default` when nothing stands there is fine too."""

    check: str
    type: str
    path: str
    pattern: str
    why: str
    default: bool = False
    every: bool = True  # every value there, or one of them
    when: Callable[[Environment], bool] = lambda _: True


CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
CLUSTER, POOL = "google_container_cluster", "google_container_node_pool"
BUCKET, TRIGGER = "google_storage_bucket", "google_cloudbuild_trigger"
SYNC = "configmanagement.config_sync"
TRUE, FALSE = "true", "false"

NEEDS = (
    # nodes and pods
    Need("FND_WORKLOAD_IDENTITY", CLUSTER, "workload_identity_config.workload_pool", ".+", "pods act as their node"),
    Need("FND_WORKLOAD_IDENTITY", CLUSTER, "node_config.workload_metadata_config.mode", "GKE_METADATA",
         "pods can read the nodes' token", default=True),
    Need("FND_WORKLOAD_IDENTITY", POOL, "node_config.workload_metadata_config.mode", "GKE_METADATA",
         "pods can read the nodes' token"),
    Need("FND_SCOPES", POOL, "node_config.oauth_scopes", re.escape(CLOUD_PLATFORM),
         "IAM decides permissions; use the cloud-platform scope"),
    Need("FND_SCOPES", "google_cloud_scheduler_job", "http_target.oauth_token.scope", re.escape(CLOUD_PLATFORM),
         "IAM decides permissions", default=True),
    Need("FND_SHIELDED", CLUSTER, "enable_shielded_nodes", TRUE, "nodes cannot prove their identity", default=True),
    *(Need("FND_SHIELDED", type, f"node_config.shielded_instance_config.{switch}", TRUE, "nodes could boot other code")
      for type in (CLUSTER, POOL) for switch in ("enable_secure_boot", "enable_integrity_monitoring")),
    Need("FND_LEGACY", CLUSTER, "enable_legacy_abac", FALSE, "ABAC gives service accounts broad rights", default=True),
    Need("FND_LEGACY", CLUSTER, "master_auth.client_certificate_config.issue_client_certificate", FALSE,
         "a client certificate is not revocable", default=True),
    Need("FND_LEGACY", CLUSTER, "enable_kubernetes_alpha", FALSE, "alpha clusters are not upgraded", default=True),
    Need("FND_LEGACY", POOL, "node_config.metadata.disable-legacy-endpoints", TRUE, "the legacy metadata API is open"),
    *(Need("FND_LEGACY", type, "node_config.kubelet_config.insecure_kubelet_readonly_port_enabled", "FALSE",
           "the read-only kubelet port is open", default=True) for type in (CLUSTER, POOL)),
    Need("FND_NETWORK_POLICY", CLUSTER, "datapath_provider", "ADVANCED_DATAPATH", "network policies are not enforced"),
    Need("FND_NETWORK_POLICY", CLUSTER, "enable_intranode_visibility", TRUE, "traffic within a node is not visible"),
    Need("FND_PRIVATE_NODES", POOL, "network_config.enable_private_nodes", TRUE, "nodes have public addresses",
         default=True),
    *(Need("FND_PRIVATE_NODES", CLUSTER, each, "(?!(.*/)?default$).+", "nodes are in the default network")
      for each in ("network", "subnetwork")),
    Need("FND_FIRST_POOL", CLUSTER, "remove_default_node_pool", TRUE, "the default pool remains"),
    Need("FND_IMAGES", CLUSTER, "binary_authorization.evaluation_mode", "PROJECT_SINGLETON_POLICY_ENFORCE",
         "no policy restricts images"),
    Need("FND_POSTURE", CLUSTER, "security_posture_config.mode", "BASIC|ENTERPRISE", "weaknesses are not scanned for"),
    Need("FND_UPGRADES", CLUSTER, "release_channel.channel", "RAPID|REGULAR|STABLE|EXTENDED", "no upgrades"),
    Need("FND_UPGRADES", POOL, "management.auto_upgrade", TRUE, "nodes keep known vulnerabilities"),
    Need("FND_UPGRADES", POOL, "management.auto_repair", TRUE, "broken nodes are not repaired"),
    Need("FND_UPGRADES", POOL, "node_config.image_type", "COS_CONTAINERD", "not the minimal image", default=True),
    # logs
    *(Need("FND_LOGGING", CLUSTER, "logging_config.enable_components", each, f"{each} are not logged", every=False)
      for each in ("SYSTEM_COMPONENTS", "WORKLOADS")),
    Need("FND_LOGGING", CLUSTER, "logging_service", "logging.googleapis.com/kubernetes", "no logs", default=True),
    Need("FND_LOGGING", CLUSTER, "monitoring_service", "monitoring.googleapis.com/kubernetes", "no metrics",
         default=True),
    Need("FND_LOGGING", CLUSTER, "monitoring_config.enable_components", "SYSTEM_COMPONENTS", "no metrics", every=False),
    Need("FND_LOGGING", CLUSTER, "monitoring_config.managed_prometheus.enabled", TRUE, "workloads have no metrics"),
    *(Need("FND_LOGGING", "google_project_iam_audit_config", "audit_log_config.log_type", each,
           f"{each} is not audited", every=False) for each in ("ADMIN_READ", "DATA_READ", "DATA_WRITE")),
    Need("FND_LOGGING", "google_project_iam_audit_config", "audit_log_config.exempted_members", "(?!)",
         "some accesses are not audited", default=True),
    Need("FND_LOGGING", "google_project_iam_audit_config", "service", "allServices", "other services are not audited"),
    Need("FND_LOGGING", "google_workflows_workflow", "call_log_level", "LOG_(ERRORS_ONLY|ALL_CALLS)",
         "errors are not logged"),
    Need("FND_LOGGING", "google_vertex_ai_endpoint", "predict_request_response_logging_config.enabled", TRUE,
         "drift monitoring has no data"),
    Need("FND_LOGGING", "google_vertex_ai_endpoint",
         "predict_request_response_logging_config.bigquery_destination.output_uri", "bq://.+", "no log destination"),
    # what is kept
    Need("FND_BUCKET_ACCESS", BUCKET, "uniform_bucket_level_access", TRUE, "objects have their own access lists"),
    Need("FND_BUCKET_ACCESS", BUCKET, "public_access_prevention", "enforced", "a grant could make it public"),
    Need("FND_VERSIONING", BUCKET, "versioning.enabled", TRUE, "overwritten objects are lost"),
    Need("FND_IMAGES", "google_artifact_registry_repository", "docker_config.immutable_tags", TRUE,
         "a tag could move to another image"),
    Need("FND_IMAGES", "google_artifact_registry_repository", "vulnerability_scanning_config.enablement_config",
         "INHERITED", "images are not scanned"),
    # delivery
    Need("FND_APPROVAL", TRIGGER, "approval_config.approval_required", TRUE, "applies need no approval",
         when=lambda env: env.approval or env.production),
    Need("FND_SCHEDULE", "google_cloud_scheduler_job", "http_target.uri", r"https://[a-z0-9.-]+\.googleapis\.com/.*",
         "it calls a host that is not Google's"),
    Need("FND_SCHEDULE", "google_cloud_scheduler_job", "http_target.oauth_token.service_account_email", ".+",
         "it calls without an identity"),
    Need("FND_CONFIG_SYNC", "google_gke_hub_feature_membership", f"{SYNC}.prevent_drift", TRUE,
         "drift is not corrected"),
)  # fmt: skip


def _names_apply(subject: CheckSubject) -> bool:
    return "-apply@" in subject.text("service_account")


def violation(need: Need, subject: CheckSubject) -> str | None:
    """What is wrong with an argument, or None."""
    found = [word(one) for one in at(subject.values, need.path)]
    if not found:
        return None if need.default else f"{need.path} is not given: {need.why}"
    good = [re.fullmatch(need.pattern, one) is not None for one in found]
    if all(good) if need.every else any(good):
        return None
    return f"{need.path} = {', '.join(found)}: {need.why}"


def hardening_check(check: str) -> Check:
    """The check of that name: every row of the table that has it."""
    rows = [need for need in NEEDS if need.check == check]

    def of_rows(subject: CheckSubject) -> Iterator[str]:
        for need in rows:
            if need.type != subject.type or not need.when(subject.env):
                continue
            if need.check == "FND_APPROVAL" and not _names_apply(subject):
                continue
            if problem := violation(need, subject):
                yield problem

    of_rows.__doc__ = SENTENCES[check]
    return of_rows


SENTENCES = {
    "FND_APPROVAL": "Applies wait for an approval where the environment asks for one.",
    "FND_BUCKET_ACCESS": "A bucket's access is by IAM alone, and can never be public.",
    "FND_CONFIG_SYNC": "Config Sync corrects drift on a cluster.",
    "FND_FIRST_POOL": "GKE's default node pool is removed.",
    "FND_IMAGES": "Images are scanned, their tags never move, and a policy says which may run.",
    "FND_LEGACY": "Legacy ways into a cluster are turned off.",
    "FND_LOGGING": "Logs, metrics and audit logs are on.",
    "FND_NETWORK_POLICY": "Network policies are enforced, and traffic within a node is seen.",
    "FND_POSTURE": "Clusters are scanned for weaknesses.",
    "FND_PRIVATE_NODES": "Nodes have no public address.",
    "FND_SCHEDULE": "A schedule calls Google's APIs only, as an identity of ours.",
    "FND_SCOPES": "Scopes leave permissions to IAM.",
    "FND_SHIELDED": "Nodes are shielded: secure boot and integrity monitoring.",
    "FND_UPGRADES": "Clusters and nodes are upgraded and repaired by themselves.",
    "FND_VERSIONING": "Overwritten objects are kept for a while.",
    "FND_WORKLOAD_IDENTITY": "Pods act as identities of their own, never as the nodes.",
}
