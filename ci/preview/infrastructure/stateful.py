"""What a resource holds that is gone with it, and what protects it. Source: the provider's documentation."""

from __future__ import annotations

from fonderie.terraform.plan import ResourceChange

# Types that hold something a new one of the same name does not bring back. Source: cloud.google.com.
STATEFUL = {
    "google_project": "the project and everything in it; its id can never be used again",
    "google_storage_bucket": "every object in the bucket",
    "google_storage_managed_folder": "the objects under it",
    "google_bigquery_dataset": "the dataset and its tables",
    "google_bigquery_table": "every row of the table",
    "google_artifact_registry_repository": "every image and package in it",
    "google_secret_manager_secret": "every version of the secret",
    "google_secret_manager_secret_version": "this version's value",
    "google_kms_key_ring": "nothing in the cloud: it outlives its destroy and blocks its name",
    "google_kms_crypto_key": "what is encrypted with it can't be read any more",
    "google_sql_database_instance": "its databases and backups; the name is blocked for a week",
    "google_sql_database": "every table in it",
    "google_container_cluster": "everything that runs on it, with its volumes",
    "google_gke_backup_backup_plan": "the backups",
    "google_compute_disk": "the data on the disk",
    "google_redis_instance": "the data in it",
    "google_filestore_instance": "the files in it",
    "google_compute_address": "the address goes back to Google",
    "google_compute_global_address": "the address goes back to Google",
    "google_dns_managed_zone": "its records; names stop resolving",
    "google_pubsub_topic": "messages not yet delivered",
    "google_pubsub_subscription": "messages not yet acknowledged",
    "google_logging_project_bucket_config": "the logs in it",
    "google_service_account": "its identity: grants to it go stale, a new one of the same name is another",
    "google_iam_workload_identity_pool": "sign-in from outside; its id is blocked for 30 days",
    "google_iam_workload_identity_pool_provider": "sign-in from outside; its id is blocked for 30 days",
    "google_project_iam_custom_role": "the role; its id is blocked for weeks",
    "google_vertex_ai_dataset": "the dataset's items and annotations",
    "google_vertex_ai_endpoint": "the models deployed on it, and its address",
    "google_vertex_ai_feature_group": "the registered features",
    "google_vertex_ai_feature_online_store": "the served feature values",
    "google_vertex_ai_featurestore": "every feature value",
    "google_vertex_ai_featurestore_entitytype": "its feature values",
    "google_vertex_ai_index": "the index's vectors",
    "google_vertex_ai_tensorboard": "every experiment's curves",
    "google_vertex_ai_tensorboard_experiment": "the experiment's curves",
    "google_workbench_instance": "the disks of the notebook",
    "google_secure_source_manager_instance": "its repositories",
}  # fmt: skip


def is_stateful(kind: str) -> bool:
    """Whether destroying a resource of this type loses something."""
    return kind in STATEFUL


def abandoned(change: ResourceChange) -> bool:
    """Whether its destroy leaves it in the cloud."""
    return isinstance(change.before, dict) and change.before.get("deletion_policy") == "ABANDON"


def protection(change: ResourceChange) -> str:
    """The protection in state that will refuse the destroy, or nothing. Source: the provider's documentation."""
    before = change.before if isinstance(change.before, dict) else {}
    if abandoned(change):
        return "left in the cloud (deletion_policy ABANDON)"
    for name in ("deletion_protection", "deletion_protection_enabled"):
        if before.get(name) is True:
            return f"{name} refuses it until it is off in state"
    if before.get("deletion_policy") == "PREVENT":
        return "deletion_policy PREVENT refuses it until it is changed in state"
    if change.type == "google_storage_bucket" and not before.get("force_destroy"):
        return "fails while it holds objects (force_destroy is off)"
    if change.type == "google_bigquery_dataset" and not before.get("delete_contents_on_destroy"):
        return "fails while it holds tables (delete_contents_on_destroy is off)"
    return ""
