"""What the identities may do in the whole project: roles of the workloads, custom roles of those who plan and apply.

Grants on one resource are not here: they belong to the construct of that resource (`readers=`, `writers=`).

A role of single permissions is one grant instead of twenty, and narrower than Google's administrators of each service:
who applies can neither read a secret's value nor an object, a table's rows or a message. What each type takes is in
`fonderie/core/resource_types.toml`. Project-wide roles are granted by IAM's own role under a condition
(`BootstrapStack`), never by these. Source: "IAM permissions reference" of Google Cloud, and the methods the
provider calls."""

from __future__ import annotations

from fonderie.core.resource_types import resource_types
from infra.names import IdentityName
from infra.settings import Environment

# Identity -> the roles it holds in the project. None is a primitive role; none can create a key. Who attaches others
# comes first: a grant to an account that does not exist is refused.
WORKLOAD_ROLES: dict[IdentityName, tuple[str, ...]] = {
    IdentityName.SCHEDULER: ("roles/workflows.invoker", "roles/cloudbuild.builds.editor"),
    IdentityName.RETRAIN: (
        "roles/aiplatform.user",
        "roles/eventarc.eventReceiver",
        "roles/workflows.invoker",
        "roles/logging.logWriter",
    ),
    # The Vertex AI client looks at the bucket of a run before it uses it (storage.buckets.get).
    # What a run tells goes into a log that alerts look at.
    IdentityName.PIPELINES: (
        "roles/aiplatform.user",
        "roles/bigquery.jobUser",
        "roles/storage.bucketViewer",
        "roles/logging.logWriter",
    ),
    IdentityName.MONITORING: (
        "roles/aiplatform.user",
        "roles/bigquery.jobUser",
        "roles/storage.bucketViewer",
        "roles/logging.logWriter",
    ),
    IdentityName.SERVING: ("roles/monitoring.metricWriter", "roles/logging.logWriter"),
    IdentityName.NODES: ("roles/container.defaultNodeServiceAccount",),
    IdentityName.SYNC: (),
}

GRANTABLE_ROLES = frozenset(role for roles in WORKLOAD_ROLES.values() for role in roles)


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
    return sorted({*LOGS_OF_BUILDS, *(each for row in resource_types().values() for each in row.read)})


def apply_permissions(env: Environment) -> list[str]:
    """What the apply identity may do: read every type in use, write those after the bootstrap, deploy models."""
    written = {each for row in resource_types().values() for each in row.write or ()}.union(DEPLOYING_MODELS)
    return sorted(written.union(plan_permissions(), EMPTYING_BUCKETS if env.ephemeral else ()))
