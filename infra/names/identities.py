"""Names of who acts: service accounts, Google's agents, the Git host's workflows, the cluster's pods."""

from __future__ import annotations

from infra.names.pattern import resource
from infra.names.vocabulary import Agent, Identity
from infra.settings import Environment


def email(env: Environment, who: Identity) -> str:
    """E-mail of an identity's service account."""
    return f"{account_id(env, who)}@{env.project_id}.iam.gserviceaccount.com"


def account_id(env: Environment, who: Identity) -> str:
    """Account id of an identity: 6 to 30 characters."""
    return f"{env.name}-{who}"


def member(env: Environment, who: Identity) -> str:
    """An identity as a member of a policy."""
    return f"serviceAccount:{email(env, who)}"


def account_path(env: Environment, who: Identity) -> str:
    """Resource path of an identity's service account."""
    return f"projects/{env.project_id}/serviceAccounts/{email(env, who)}"


def custom_role(env: Environment, who: Identity) -> str:
    """Id of the custom role of an identity: letters, digits, underscores and dots."""
    return f"{env.name}_{who}"


def agent_email(env: Environment, who: Agent) -> str:
    """E-mail of a service agent of the environment's project."""
    number = env.project_number
    match who:
        case Agent.STORAGE:
            return f"service-{number}@gs-project-accounts.iam.gserviceaccount.com"
        case Agent.BIGQUERY:
            return f"bq-{number}@bigquery-encryption.iam.gserviceaccount.com"
        case Agent.COMPUTE:
            return f"service-{number}@compute-system.iam.gserviceaccount.com"
        case Agent.CONTAINER:
            return f"service-{number}@container-engine-robot.iam.gserviceaccount.com"
        case _:
            return f"service-{number}@gcp-sa-{who.removesuffix('.googleapis.com')}.iam.gserviceaccount.com"


def agent(env: Environment, who: Agent) -> str:
    """A service agent as a member of a policy."""
    return f"serviceAccount:{agent_email(env, who)}"


def identity_pool(env: Environment) -> str:
    """Id of the workload identity pool: 4 to 32 characters, blocked for 30 days once deleted."""
    return resource(env, "git")


def identity_provider(env: Environment) -> str:
    """Id of the Git host's provider within the pool."""
    return resource(env, "github")


def identity_pool_path(env: Environment) -> str:
    """Resource path of the workload identity pool; by number, as tokens name it."""
    return f"projects/{env.project_number}/locations/global/workloadIdentityPools/{identity_pool(env)}"


def workload_pool(env: Environment) -> str:
    """Where Kubernetes' service accounts become identities of Google's; exists once the first cluster does."""
    return f"{env.project_id}.svc.id.goog"
