"""What the identities may do in the whole project: the roles of the workloads, and of those who plan and apply.

Grants on one resource are not here: they belong to the construct of that resource (`readers=`, `writers=`).
"""

from __future__ import annotations

from infra.names import Identity

# Identity -> the roles it holds in the project. None is a primitive role; none can create a key. Who attaches others
# comes first: a grant to an account that does not exist is refused.
WORKLOAD_ROLES: dict[Identity, tuple[str, ...]] = {
    Identity.SCHEDULER: ("roles/aiplatform.user", "roles/cloudbuild.builds.editor"),
    Identity.RETRAIN: (
        "roles/aiplatform.user",
        "roles/eventarc.eventReceiver",
        "roles/workflows.invoker",
        "roles/logging.logWriter",
    ),
    # The Vertex AI client looks at the bucket of a run before it uses it (storage.buckets.get).
    Identity.PIPELINES: ("roles/aiplatform.user", "roles/bigquery.jobUser", "roles/storage.bucketViewer"),
    Identity.MONITORING: ("roles/aiplatform.user", "roles/bigquery.jobUser", "roles/storage.bucketViewer"),
    Identity.SERVING: ("roles/monitoring.metricWriter", "roles/logging.logWriter"),
    Identity.NODES: ("roles/container.defaultNodeServiceAccount",),
}

GRANTABLE_ROLES = frozenset(role for roles in WORKLOAD_ROLES.values() for role in roles)

# What creating, changing and destroying the stacks after the bootstrap takes; IAM of the project apart.
APPLY_ROLES = (
    "roles/aiplatform.admin",
    "roles/artifactregistry.admin",
    "roles/bigquery.dataOwner",
    "roles/cloudbuild.builds.editor",
    "roles/cloudbuild.connectionAdmin",
    "roles/cloudkms.admin",
    "roles/cloudscheduler.admin",
    "roles/compute.networkAdmin",
    "roles/compute.securityAdmin",
    "roles/container.clusterAdmin",
    "roles/eventarc.admin",
    "roles/gkehub.editor",
    "roles/iam.serviceAccountAdmin",
    "roles/logging.configWriter",
    "roles/monitoring.editor",
    "roles/pubsub.admin",
    "roles/secretmanager.admin",
    "roles/serviceusage.serviceUsageAdmin",
    "roles/storage.admin",
    "roles/workflows.admin",
)

# A plan reads each resource and, where a construct grants something, its policy. Terraform's type -> permissions.
READ_PERMISSIONS: dict[str, tuple[str, ...]] = {
    "artifact_registry_repository": ("artifactregistry.repositories.get",),
    "artifact_registry_repository_iam_member": ("artifactregistry.repositories.getIamPolicy",),
    "bigquery_dataset": ("bigquery.datasets.get",),
    "bigquery_dataset_iam_member": ("bigquery.datasets.getIamPolicy",),
    "bigquery_table": ("bigquery.tables.get",),
    "billing_budget": (),  # of the billing account, not of the project
    "cloud_scheduler_job": ("cloudscheduler.jobs.get",),
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
    "storage_bucket_object": ("storage.objects.get",),
    "vertex_ai_endpoint": ("aiplatform.endpoints.get",),
    "vertex_ai_feature_group": ("aiplatform.featureGroups.get",),
    "vertex_ai_feature_group_feature": ("aiplatform.features.get",),
    "vertex_ai_tensorboard": ("aiplatform.tensorboards.get",),
    "workflows_workflow": ("workflows.workflows.get",),
}

PLAN_PERMISSIONS = tuple(sorted({permission for needed in READ_PERMISSIONS.values() for permission in needed}))
