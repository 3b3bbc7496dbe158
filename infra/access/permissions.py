"""Terraform's types -> what reading and writing one takes: the custom roles of those who plan and who apply.

A role of single permissions is one grant instead of twenty, and narrower than Google's administrators of each service:
who applies can neither read a secret's value nor an object, a table's rows or a message. A type in use that is missing
here fails a test. Source: "IAM permissions reference" of Google Cloud, and the methods the provider calls.
"""

from __future__ import annotations

from infra.settings import Environment

# A plan reads each resource and, where a construct grants something, its policy.
READ: dict[str, tuple[str, ...]] = {
    "artifact_registry_repository": ("artifactregistry.repositories.get",),
    "artifact_registry_repository_iam_member": ("artifactregistry.repositories.getIamPolicy",),
    "bigquery_dataset": ("bigquery.datasets.get",),
    "bigquery_dataset_iam_member": ("bigquery.datasets.getIamPolicy",),
    "bigquery_table": ("bigquery.tables.get",),
    "billing_budget": (),  # of the billing account, not of the project
    "cloud_scheduler_job": ("cloudscheduler.jobs.fullView", "cloudscheduler.jobs.get"),
    "cloudbuild_trigger": ("cloudbuild.builds.get",),
    "cloudbuildv2_connection": ("cloudbuild.connections.get",),
    "cloudbuildv2_repository": ("cloudbuild.repositories.get",),
    "compute_firewall": ("compute.firewalls.get",),
    "compute_network": ("compute.networks.get",),
    "compute_router": ("compute.routers.get",),
    "compute_router_nat": ("compute.routers.get",),
    "compute_subnetwork": ("compute.subnetworks.get",),
    "container_cluster": ("container.clusters.get", "compute.instanceGroupManagers.get"),
    "container_node_pool": ("container.clusters.get", "compute.instanceGroupManagers.get"),
    "eventarc_trigger": ("eventarc.triggers.get",),
    "gke_hub_feature": ("gkehub.features.get",),
    "iam_workload_identity_pool": ("iam.workloadIdentityPools.get",),
    "iam_workload_identity_pool_provider": ("iam.workloadIdentityPoolProviders.get",),
    "kms_crypto_key": ("cloudkms.cryptoKeys.get", "cloudkms.cryptoKeyVersions.list"),
    "kms_crypto_key_iam_member": ("cloudkms.cryptoKeys.getIamPolicy",),
    "kms_key_ring": ("cloudkms.keyRings.get",),
    "logging_metric": ("logging.logMetrics.get",),
    "logging_project_sink": ("logging.sinks.get",),
    "monitoring_alert_policy": ("monitoring.alertPolicies.get",),
    "monitoring_dashboard": ("monitoring.dashboards.get",),
    "monitoring_notification_channel": ("monitoring.notificationChannels.get",),
    "project_iam_audit_config": ("resourcemanager.projects.getIamPolicy",),
    "project_iam_custom_role": ("iam.roles.get",),
    "project_iam_member": ("resourcemanager.projects.getIamPolicy",),
    "project_service": ("resourcemanager.projects.get", "serviceusage.services.get", "serviceusage.services.list"),
    "pubsub_subscription": ("pubsub.subscriptions.get",),
    "pubsub_subscription_iam_member": ("pubsub.subscriptions.getIamPolicy",),
    "pubsub_topic": ("pubsub.topics.get",),
    "pubsub_topic_iam_member": ("pubsub.topics.getIamPolicy",),
    "secret_manager_secret": ("secretmanager.secrets.get",),
    "secret_manager_secret_iam_member": ("secretmanager.secrets.getIamPolicy",),
    "service_account": ("iam.serviceAccounts.get",),
    "service_account_iam_member": ("iam.serviceAccounts.getIamPolicy",),
    "storage_bucket": ("storage.buckets.get",),
    "storage_bucket_iam_member": ("storage.buckets.getIamPolicy",),
    "storage_bucket_object": (),  # as a reader of the one bucket that holds objects of Terraform's
    "vertex_ai_endpoint": ("aiplatform.endpoints.get",),
    "vertex_ai_feature_group": ("aiplatform.featureGroups.get",),
    "vertex_ai_feature_group_feature": ("aiplatform.features.get",),
    "vertex_ai_tensorboard": ("aiplatform.tensorboards.get",),
    "workflows_workflow": ("workflows.workflows.get",),
}

# What creating, changing and destroying one takes beyond reading it, for the stacks after the bootstrap. Project-wide
# roles are granted by IAM's own role under a condition (`BootstrapStack`), never by these.
WRITE: dict[str, tuple[str, ...]] = {
    "artifact_registry_repository": (
        "artifactregistry.repositories.create",
        "artifactregistry.repositories.delete",
        "artifactregistry.repositories.update",
    ),
    "artifact_registry_repository_iam_member": ("artifactregistry.repositories.setIamPolicy",),
    "bigquery_dataset": ("bigquery.datasets.create", "bigquery.datasets.delete", "bigquery.datasets.update"),
    "bigquery_dataset_iam_member": ("bigquery.datasets.setIamPolicy", "bigquery.datasets.update"),
    "bigquery_table": ("bigquery.tables.create", "bigquery.tables.delete", "bigquery.tables.update"),
    "cloud_scheduler_job": ("cloudscheduler.jobs.create", "cloudscheduler.jobs.delete", "cloudscheduler.jobs.update"),
    "cloudbuild_trigger": ("cloudbuild.builds.create", "cloudbuild.builds.update"),
    "cloudbuildv2_connection": (
        "cloudbuild.connections.create",
        "cloudbuild.connections.delete",
        "cloudbuild.connections.update",
    ),
    "cloudbuildv2_repository": (
        "cloudbuild.connections.fetchLinkableRepositories",
        "cloudbuild.repositories.create",
        "cloudbuild.repositories.delete",
    ),
    "compute_firewall": (
        "compute.firewalls.create",
        "compute.firewalls.delete",
        "compute.firewalls.update",
        "compute.globalOperations.get",
        "compute.networks.updatePolicy",
    ),
    "compute_network": (
        "compute.globalOperations.get",
        "compute.networks.create",
        "compute.networks.delete",
        "compute.networks.update",
        "compute.networks.updatePolicy",
    ),
    "compute_router": (
        "compute.networks.updatePolicy",
        "compute.regionOperations.get",
        "compute.routers.create",
        "compute.routers.delete",
        "compute.routers.update",
    ),
    "compute_router_nat": ("compute.regionOperations.get", "compute.routers.update"),
    "compute_subnetwork": (
        "compute.networks.updatePolicy",
        "compute.regionOperations.get",
        "compute.subnetworks.create",
        "compute.subnetworks.delete",
        "compute.subnetworks.expandIpCidrRange",
        "compute.subnetworks.setPrivateIpGoogleAccess",
        "compute.subnetworks.update",
    ),
    "container_cluster": (
        "container.clusters.create",
        "container.clusters.delete",
        "container.clusters.update",
        "container.operations.get",
        "gkehub.fleet.create",
        "gkehub.fleet.get",
        "gkehub.memberships.create",
        "gkehub.memberships.delete",
        "gkehub.memberships.get",
        "gkehub.memberships.update",
    ),
    "container_node_pool": ("container.clusters.update", "container.operations.get"),
    "eventarc_trigger": (
        "eventarc.operations.get",
        "eventarc.triggers.create",
        "eventarc.triggers.delete",
        "eventarc.triggers.update",
    ),
    "gke_hub_feature": (
        "gkehub.features.create",
        "gkehub.features.delete",
        "gkehub.features.update",
        "gkehub.operations.get",
    ),
    "kms_crypto_key_iam_member": ("cloudkms.cryptoKeys.setIamPolicy",),
    "logging_metric": ("logging.logMetrics.create", "logging.logMetrics.delete", "logging.logMetrics.update"),
    "monitoring_alert_policy": (
        "monitoring.alertPolicies.create",
        "monitoring.alertPolicies.delete",
        "monitoring.alertPolicies.update",
    ),
    "monitoring_dashboard": (
        "monitoring.dashboards.create",
        "monitoring.dashboards.delete",
        "monitoring.dashboards.update",
    ),
    "monitoring_notification_channel": (
        "monitoring.notificationChannels.create",
        "monitoring.notificationChannels.delete",
        "monitoring.notificationChannels.update",
    ),
    "project_iam_member": (),  # by roles/resourcemanager.projectIamAdmin, under a condition
    "project_service": ("serviceusage.operations.get", "serviceusage.services.enable"),
    "pubsub_topic": ("pubsub.topics.create", "pubsub.topics.delete", "pubsub.topics.update"),
    "pubsub_topic_iam_member": ("pubsub.topics.setIamPolicy",),
    "secret_manager_secret": (
        "secretmanager.secrets.create",
        "secretmanager.secrets.delete",
        "secretmanager.secrets.update",
    ),
    "secret_manager_secret_iam_member": ("secretmanager.secrets.setIamPolicy",),
    "service_account": (
        "iam.serviceAccounts.create",
        "iam.serviceAccounts.delete",
        "iam.serviceAccounts.update",
    ),
    "service_account_iam_member": ("iam.serviceAccounts.setIamPolicy",),
    "storage_bucket": ("storage.buckets.create", "storage.buckets.delete", "storage.buckets.update"),
    "storage_bucket_iam_member": ("storage.buckets.setIamPolicy",),
    "storage_bucket_object": (),  # as a writer of the one bucket that holds objects of Terraform's
    "vertex_ai_endpoint": (
        "aiplatform.endpoints.create",
        "aiplatform.endpoints.delete",
        "aiplatform.endpoints.update",
    ),
    "vertex_ai_feature_group": (
        "aiplatform.featureGroups.create",
        "aiplatform.featureGroups.delete",
        "aiplatform.featureGroups.update",
    ),
    "vertex_ai_feature_group_feature": (
        "aiplatform.features.create",
        "aiplatform.features.delete",
        "aiplatform.features.update",
    ),
    "vertex_ai_tensorboard": (
        "aiplatform.tensorboards.create",
        "aiplatform.tensorboards.delete",
        "aiplatform.tensorboards.update",
    ),
    "workflows_workflow": (
        "workflows.operations.get",
        "workflows.workflows.create",
        "workflows.workflows.delete",
        "workflows.workflows.update",
    ),
}

LOGS_OF_BUILDS = ("logging.logEntries.create",)  # both run as builds, which write their own log
# What Terraform leaves to `fonderie models deploy`: champions on their endpoints.
DEPLOYING_MODELS = (
    "aiplatform.endpoints.deploy",
    "aiplatform.endpoints.undeploy",
    "aiplatform.models.get",
    "aiplatform.operations.get",
)
EMPTYING_BUCKETS = ("storage.objects.delete", "storage.objects.list")  # `force_destroy`, in an ephemeral environment


def plan_permissions() -> list[str]:
    """What the plan identity may do: read every type in use."""
    return sorted({permission for needed in READ.values() for permission in needed}.union(LOGS_OF_BUILDS))


def apply_permissions(env: Environment) -> list[str]:
    """What the apply identity may do: read every type in use, write those after the bootstrap, deploy models."""
    written = {permission for needed in WRITE.values() for permission in needed}.union(DEPLOYING_MODELS)
    return sorted(written.union(plan_permissions(), EMPTYING_BUCKETS if env.ephemeral else ()))
