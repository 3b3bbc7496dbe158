"""The custom roles of those who plan and who apply: what reading and writing the types in use takes.

A role of single permissions is one grant instead of twenty, and narrower than Google's administrators of each service:
who applies can neither read a secret's value nor an object, a table's rows or a message. What each type takes is in
`fonderie/core/resource_types.toml`. Project-wide roles are granted by IAM's own role under a condition
(`BootstrapStack`), never by these. Source: "IAM permissions reference" of Google Cloud, and the methods the
provider calls.
"""

from __future__ import annotations

from fonderie.core.resource_types import resource_types
from infra.settings import Environment

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
