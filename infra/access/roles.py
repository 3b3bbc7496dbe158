"""What each identity may do in the whole project, made of recorded calls of the provider, and of our own by method.

Who applies calls what hashicorp/google calls for the types that the stacks hold, who plans what it calls to read them;
what our own code calls is `OWN_CALLS`, by method. `fonderie.core.google_iam` says which permissions a method takes.
Where no role of Google's is about as narrow, those permissions are a custom role, which the bootstrap stack makes: who
applies can change no role. Grants on one resource are not here: they belong to the construct of that resource
(`readers=`, `writers=`, `users=`). Project-wide roles are granted by who applies under a condition (`BootstrapStack`).
"""

from __future__ import annotations

from collections.abc import Iterable

from fonderie.core.google_iam import methods, predefined_roles, provider_calls
from fonderie.core.resource_types import resource_types
from infra import names
from infra.names import IdentityName, TeamName
from infra.settings import Environment

PROJECT_IAM_ADMIN = "roles/resourcemanager.projectIamAdmin"  # of `apply`, under a condition
LOG_WRITER = "roles/logging.logWriter"
READS = ("read",)
WRITES = ("read", "create", "update", "delete")

# Roles of Google's that the workloads hold in the project. None is a primitive role; none can create a key. Who
# attaches others comes first: a grant to an account that does not exist is refused.
WORKLOAD_ROLES: dict[IdentityName, tuple[str, ...]] = {
    IdentityName.SCHEDULER: (),
    IdentityName.RETRAIN: (),
    # Vertex AI writes a run's metadata and jobs as the run's account. Source: "Configure your Google Cloud project for
    # Vertex AI Pipelines", which asks for this role. What a run tells goes into a log that alerts look at.
    IdentityName.PIPELINES: ("roles/aiplatform.user", "roles/bigquery.jobUser", LOG_WRITER),
    IdentityName.MONITORING: ("roles/aiplatform.user", "roles/bigquery.jobUser", LOG_WRITER),
    IdentityName.SERVING: (LOG_WRITER,),
    IdentityName.NODES: ("roles/container.defaultNodeServiceAccount",),
    IdentityName.SYNC: (),
}

_ENDPOINT = "aiplatform.projects.locations.endpoints"
_MODELS = "aiplatform.projects.locations.models"
_RUNS = "aiplatform.projects.locations.pipelineJobs"
_STARTS = "workflowexecutions.projects.locations.workflows.executions.create"
_METADATA = "aiplatform.projects.locations.metadataStores"

# `fonderie models deploy`: champions on their endpoints.
_DEPLOYS_MODELS = (
    f"{_ENDPOINT}.get",
    f"{_ENDPOINT}.patch",
    f"{_ENDPOINT}.deployModel",
    f"{_ENDPOINT}.undeployModel",
    f"{_ENDPOINT}.operations.get",
)
# Methods that our own code calls, by who calls them; who has none here holds a role of Google's.
OWN_CALLS: dict[IdentityName | TeamName, tuple[str, ...]] = {
    IdentityName.PLAN: ("logging.entries.write",),  # it runs as builds, which write their own log
    IdentityName.APPLY: ("logging.entries.write", *_DEPLOYS_MODELS),
    IdentityName.SCHEDULER: (_STARTS, "cloudbuild.projects.locations.triggers.run"),
    IdentityName.RETRAIN: (  # the retraining workflow, and the event that starts it
        "eventarc.receive",
        _STARTS,
        f"{_RUNS}.create",
        f"{_RUNS}.get",
        "logging.entries.write",
    ),
    # Beside reading what who plans reads: runs, experiments, the months, and what `fonderie doctor` looks at.
    TeamName.ENGINEER: (
        f"{_RUNS}.create",
        f"{_RUNS}.get",
        f"{_RUNS}.list",
        f"{_RUNS}.cancel",
        f"{_MODELS}.listVersions",
        f"{_METADATA}.create",
        f"{_METADATA}.get",
        f"{_METADATA}.contexts.create",
        f"{_METADATA}.contexts.get",
        f"{_METADATA}.contexts.addContextChildren",
        "bigquery.jobs.insert",
        "cloudscheduler.projects.locations.jobs.list",
        "serviceusage.services.list",
        "compute.regions.get",
    ),
    # `fonderie models promote`, `rollback` and `deploy`, and what the runbooks of alerts name (`constructs/watch.py`).
    TeamName.ONCALL: (
        f"{_MODELS}.listVersions",
        f"{_MODELS}.mergeVersionAliases",
        *_DEPLOYS_MODELS,
        f"{_RUNS}.get",
        f"{_RUNS}.list",
        "cloudbuild.projects.locations.builds.get",
        "cloudbuild.projects.locations.builds.list",
        "cloudscheduler.projects.locations.jobs.get",
        "cloudscheduler.projects.locations.jobs.run",
        "logging.entries.list",
        "workflowexecutions.projects.locations.workflows.executions.get",
        "workflowexecutions.projects.locations.workflows.executions.list",
    ),
}
EMPTIES_BUCKETS = ("storage.objects.list", "storage.objects.delete")  # `force_destroy`, in an ephemeral environment
BILLED_TO_THE_PROJECT = "x-goog-user-project"  # sent with calls on a budget, and with every call of a person

# Permissions of recorded calls that no project-wide role holds, because they are held where they are needed.
HELD_ELSEWHERE = {
    "bigquery.tables.getData": "on each dataset (`BigQueryDataset`, `readers=`)",
    "bigquery.tables.list": "on each dataset",
    "bigquery.tables.updateData": "on each dataset",
    "billing.budgets.get": "on the billing account, granted there by a person (docs/platform.md)",
    "iam.serviceAccounts.actAs": "on each account that is attached (`Identity`, `users=`)",
    "resourcemanager.projects.setIamPolicy": f"by {PROJECT_IAM_ADMIN}, under a condition",
    "storage.objects.create": "on the bucket of the templates",
    "storage.objects.delete": "on the bucket of the templates; in an ephemeral environment, on all",
    "storage.objects.get": "on the bucket of the templates",
    "storage.objects.list": "in an ephemeral environment, on all; for an empty bucket an error is ignored",
}
# Permissions of recorded calls that these stacks never lead to, or whose refusal changes nothing.
NOT_NEEDED = {
    "bigquery.rowAccessPolicies.list": "the provider ignores an error",
    "compute.projects.get": "the provider ignores an error",
    "compute.routes.delete": "no network sets delete_default_routes_on_create",
    "compute.routes.list": "no network sets delete_default_routes_on_create",
    "iam.serviceAccounts.disable": "no account sets `disabled`",
    "iam.serviceAccounts.enable": "no account sets `disabled`",
    "serviceusage.services.disable": "disable_on_destroy is false",
    "storage.anywhereCaches.disable": "no bucket has a cache",
    "storage.anywhereCaches.list": "the provider ignores an error",
    "storage.buckets.enableObjectRetention": "no bucket sets enable_object_retention",
    "storage.objects.getIamPolicy": "access is uniform: objects have none of their own",
    "storage.objects.setIamPolicy": "access is uniform: objects have none of their own",
    "storage.objects.update": "no object has a hold",
}


def custom_roles(env: Environment) -> dict[IdentityName | TeamName, list[str]]:
    """The permissions of each custom role of an environment, sorted."""
    return {who: _permissions(env, who) for who in OWN_CALLS}


def roles_of(env: Environment, who: IdentityName) -> tuple[str, ...]:
    """What a workload holds in the project: Google's roles, and the custom one if it has one."""
    custom = (names.custom_role_path(env, who),) if who in OWN_CALLS else ()
    return (*WORKLOAD_ROLES[who], *custom)


def grantable_roles(env: Environment) -> frozenset[str]:
    """The roles that who applies may grant: those of the workloads."""
    return frozenset(role for who in WORKLOAD_ROLES for role in roles_of(env, who))


def _permissions(env: Environment, who: IdentityName | TeamName) -> list[str]:
    calls = set(OWN_CALLS[who])
    held: frozenset[str] = frozenset()
    match who:
        case IdentityName.PLAN | TeamName.ENGINEER:
            calls |= _provider_methods(READS, written_by={"", "bootstrap"})
            calls |= {BILLED_TO_THE_PROJECT} if env.budget or who is TeamName.ENGINEER else set()
        case TeamName.ONCALL:
            calls |= {BILLED_TO_THE_PROJECT}
            held = frozenset({"cloudscheduler.jobs.fullView"})  # how a schedule went is seen without what it sends
        case IdentityName.APPLY:
            calls |= _provider_methods(WRITES, written_by={""})
            held = predefined_roles()[PROJECT_IAM_ADMIN]  # its condition limits what it grants, not what it reads
    needed = {permission for call in calls for permission in methods()[call].permissions}
    needed -= HELD_ELSEWHERE.keys() | NOT_NEEDED.keys() | held
    if who is IdentityName.APPLY and env.ephemeral:
        needed |= {permission for call in EMPTIES_BUCKETS for permission in methods()[call].permissions}
        needed -= NOT_NEEDED.keys()
    return sorted(needed)


def _provider_methods(actions: Iterable[str], *, written_by: set[str]) -> set[str]:
    """What the provider calls in these actions on the types that are written by these."""
    types = [row.name for row in resource_types().values() if row.in_use and row.written in written_by]
    recorded = provider_calls()
    return {call.method for name in types for action in actions for call in recorded[name].get(action, ())}
