"""What the identities of the workloads may do in the whole project.

Grants on one resource are not here: they belong to the construct of that resource (`readers=`, `writers=`). Who plans
and who applies hold a role of their own instead, made of single permissions: `infra/access/permissions.py`.
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
