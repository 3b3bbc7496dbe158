"""Every name, e-mail and resource path, computed from settings: `names.bucket(env, names.BucketName.MODELS)`.

Stacks meet here and nowhere else: Google's names are deterministic, so a stack can name what another stack creates
without reading its state, and can be planned before the other exists. Names begin with the environment, so a reader of
a preview knows at once where a thing belongs; those that are global on Google begin with the project.
"""

from __future__ import annotations

import zlib
from enum import StrEnum

from infra.settings import Environment, Neighbour

PODS_RANGE = "pods"
SERVICES_RANGE = "services"
NODE_TAG = "node"
FLIGHTS_TABLE = "flights"
PREDICTIONS_TABLE = "predictions"
DRIFT_TABLE = "drift"
RETRAIN = "retrain"
LOCAL_STATE = "../../../.fonderie/state/{}.tfstate"  # seen from cdktf.out/stacks/STACK
ENTITY_COLUMN = "flight_id"
POOL_LABEL = "fonderie.dev/pool"  # on nodes, and the key of the pipelines pool's taint


class StackName(StrEnum):
    """The stacks of an environment, longest life first; each may name what those before it create."""

    BOOTSTRAP = "bootstrap"
    FOUNDATION = "foundation"
    DATA = "data"
    RUNTIME = "runtime"
    DELIVERY = "delivery"


class IdentityName(StrEnum):
    """Who acts. An identity is a service account without keys."""

    PLAN = "plan"
    APPLY = "apply"
    BUILDER = "builder"
    PIPELINES = "pipelines"
    SERVING = "serving"
    MONITORING = "monitoring"
    NODES = "nodes"
    SCHEDULER = "scheduler"
    RETRAIN = "retrain"
    SYNC = "sync"


class TeamName(StrEnum):
    """What a team's people hold: a custom role, and grants on what they work with. The settings say who they are."""

    ENGINEER = "engineer"
    ONCALL = "oncall"


class AccountKind(StrEnum):
    """Accounts of a project: its own, and Google's agents in it."""

    OWN = "ServiceAccount"
    AGENT = "ServiceAgent"


class AgentName(StrEnum):
    """Google's own service agents that we grant something to; the value is the API they act for.

    Source: Google's "service agents" reference.
    """

    STORAGE = "storage.googleapis.com"
    BIGQUERY = "bigquery.googleapis.com"
    ARTIFACT_REGISTRY = "artifactregistry.googleapis.com"
    SECRET_MANAGER = "secretmanager.googleapis.com"
    PUBSUB = "pubsub.googleapis.com"
    COMPUTE = "compute.googleapis.com"
    CONTAINER = "container.googleapis.com"
    AIPLATFORM = "aiplatform.googleapis.com"
    CLOUD_BUILD = "cloudbuild.googleapis.com"
    EVENTARC = "eventarc.googleapis.com"
    GKE_HUB = "gkehub.googleapis.com"


# These exist on demand only: `fonderie bootstrap` asks for them once the APIs are enabled.
AGENTS_ON_DEMAND = (
    AgentName.BIGQUERY,
    AgentName.ARTIFACT_REGISTRY,
    AgentName.SECRET_MANAGER,
    AgentName.PUBSUB,
    AgentName.CLOUD_BUILD,
    AgentName.EVENTARC,
    AgentName.GKE_HUB,
)

# Google grants an agent its role when the agent comes by itself; one that was asked for has none until it is granted.
# Source: IAM, "Create and grant roles to service agents"; the roles, the "service agents" reference. The agents of
# BigQuery's and Secret Manager's keys have no role.
AGENT_ROLES = {
    AgentName.ARTIFACT_REGISTRY: "roles/artifactregistry.serviceAgent",
    AgentName.PUBSUB: "roles/pubsub.serviceAgent",
    AgentName.CLOUD_BUILD: "roles/cloudbuild.serviceAgent",
    AgentName.EVENTARC: "roles/eventarc.serviceAgent",
    AgentName.GKE_HUB: "roles/gkehub.serviceAgent",
}


class KeyName(StrEnum):
    """Encryption keys, one a kind of data: each can be rotated and withdrawn alone."""

    STATE = "state"
    DATA = "data"
    CLUSTER = "cluster"
    SECRETS = "secrets"


class BucketName(StrEnum):
    """Buckets; the state's is the bootstrap's, the others are the data stack's."""

    STATE = "state"
    RAW = "raw"
    MODELS = "models"
    PIPELINE_ROOT = "pipeline-root"
    TEMPLATES = "templates"


class ImageName(StrEnum):
    """The container images, as `ci/images/` calls them."""

    PIPELINES = "pipelines"
    SERVING = "serving"


class DatasetName(StrEnum):
    """BigQuery datasets."""

    FLIGHTS = "flights"
    FEATURES = "features"
    MONITORING = "monitoring"


class SecretName(StrEnum):
    """Secrets; their values are put in by people, never by Terraform."""

    GIT_TOKEN = "git-token"  # of Cloud Build's connection: it administers the repository's hooks
    PREVIEW_TOKEN = "preview-token"  # of the builds: pull requests and statuses, nothing else


def stack(env: Environment, name: StackName) -> str:
    """Id of a stack, for example `dev-data`."""
    return f"{env.name}-{name}"


def resource(env: Environment, what: str) -> str:
    """Name of anything whose name needs to be unique in its project only."""
    return f"{env.name}-{what}"


def email(env: Environment | Neighbour, who: IdentityName) -> str:
    """E-mail of an identity's service account."""
    return f"{account_id(env, who)}@{env.project_id}.iam.gserviceaccount.com"


def account_id(env: Environment | Neighbour, who: IdentityName) -> str:
    """Account id of an identity: 6 to 30 characters."""
    return f"{env.name}-{who}"


def member(env: Environment | Neighbour, who: IdentityName) -> str:
    """An identity as a member of a policy."""
    return f"serviceAccount:{email(env, who)}"


def account_path(env: Environment, who: IdentityName) -> str:
    """Resource path of an identity's service account."""
    return f"projects/{env.project_id}/serviceAccounts/{email(env, who)}"


def custom_role(env: Environment, who: IdentityName | TeamName) -> str:
    """Id of a custom role: letters, digits, underscores and dots."""
    return f"{env.name}_{who}"


def custom_role_path(env: Environment, who: IdentityName | TeamName) -> str:
    """Resource path of a custom role, as a policy names it."""
    return f"projects/{env.project_id}/roles/{custom_role(env, who)}"


def accounts_of(project: Environment | Neighbour, kind: AccountKind) -> str:
    """All accounts of a kind in a project: a member that no account has to exist for.

    Source: IAM, "Principal identifiers".
    """
    return f"principalSet://cloudresourcemanager.googleapis.com/projects/{project.project_number}/type/{kind}"


def agent_email(env: Environment | Neighbour, who: AgentName) -> str:
    """E-mail of a service agent of the environment's project."""
    number = env.project_number
    match who:
        case AgentName.STORAGE:
            return f"service-{number}@gs-project-accounts.iam.gserviceaccount.com"
        case AgentName.BIGQUERY:
            return f"bq-{number}@bigquery-encryption.iam.gserviceaccount.com"
        case AgentName.COMPUTE:
            return f"service-{number}@compute-system.iam.gserviceaccount.com"
        case AgentName.CONTAINER:
            return f"service-{number}@container-engine-robot.iam.gserviceaccount.com"
        case _:
            return f"service-{number}@gcp-sa-{who.removesuffix('.googleapis.com')}.iam.gserviceaccount.com"


def agent(env: Environment | Neighbour, who: AgentName) -> str:
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


def network(env: Environment) -> str:
    """Name of the VPC."""
    return resource(env, "network")


def network_path(env: Environment) -> str:
    """Resource path of the VPC."""
    return f"projects/{env.project_id}/global/networks/{network(env)}"


def subnet(env: Environment) -> str:
    """Name of the subnet."""
    return resource(env, "nodes")


def subnet_path(env: Environment) -> str:
    """Resource path of the subnet."""
    return f"projects/{env.project_id}/regions/{env.region}/subnetworks/{subnet(env)}"


def cluster(env: Environment) -> str:
    """Name of the GKE cluster: at most 40 characters."""
    return resource(env, "cluster")


def topic(env: Environment, what: str) -> str:
    """Name of a topic."""
    return resource(env, what)


def topic_path(env: Environment, what: str) -> str:
    """Resource path of a topic."""
    return f"projects/{env.project_id}/topics/{topic(env, what)}"


def event_log(env: Environment) -> str:
    """The log of what pipelines tell: a run that ended, an alarm of the monitor."""
    return f"projects/{env.project_id}/logs/{resource(env, 'events')}"


def workflow_url(env: Environment, what: str) -> str:
    """Address that starts an execution of a workflow."""
    parent = f"projects/{env.project_id}/locations/{env.region}"
    return f"https://workflowexecutions.googleapis.com/v1/{parent}/workflows/{resource(env, what)}/executions"


def trigger_url(env: Environment, what: str) -> str:
    """Address that runs a trigger of Cloud Build."""
    parent = f"projects/{env.project_id}/locations/{env.region}"
    return f"https://cloudbuild.googleapis.com/v1/{parent}/triggers/{resource(env, what)}:run"


def connection(env: Environment) -> str:
    """Name of Cloud Build's connection to the Git host."""
    return resource(env, "git")


def endpoint_id(env: Environment, model: str) -> str:
    """Numeric id of a model's endpoint, as Vertex AI wants: ten digits, the first not zero; the same for ever."""
    return str(10**9 + zlib.crc32(f"{env.name}/{model}".encode()))


def endpoint_path(env: Environment, model: str) -> str:
    """Resource path of a model's endpoint."""
    return f"projects/{env.project_id}/locations/{env.region}/endpoints/{endpoint_id(env, model)}"


def feature_group(env: Environment) -> str:
    """Id of the feature group over the flights' features: lower-case letters, digits and underscores, at most 60."""
    return f"{env.name}_{FLIGHTS_TABLE}"


def bucket(env: Environment, which: BucketName) -> str:
    """Names of buckets are global, so they begin with the project: at most 30 + 8 + 13 + 2 = 53 of 63 characters."""
    project = env.project_id.removesuffix(f"-{env.name}")
    return f"{project}-{env.name}-{which}"


def key_ring(env: Environment) -> str:
    """Name of the key ring: it can never be deleted, so never made twice."""
    return resource(env, "fonderie")


def key_path(env: Environment, which: KeyName) -> str:
    """Resource path of a key."""
    ring = f"projects/{env.project_id}/locations/{env.region}/keyRings/{key_ring(env)}"
    return f"{ring}/cryptoKeys/{which}"


def customer_key(env: Environment, which: KeyName) -> str | None:
    """Resource path of the key to encrypt with, or None where the environment leaves that to Google."""
    return key_path(env, which) if env.customer_keys else None


def images(env: Environment | Neighbour) -> str:
    """Id of the Docker registry."""
    return f"{env.name}-images"


def images_url(env: Environment) -> str:
    """Address of the Docker registry, to which `/name:tag` or `/name@digest` is added; one for all environments."""
    owner = env.registry_owner
    return f"{owner.region}-docker.pkg.dev/{owner.project_id}/{images(owner)}"


def image(env: Environment, which: ImageName) -> str:
    """An image by digest. Before the first is built, a digest that nothing has: what names it is not started."""
    named = env.images.pipelines if which is ImageName.PIPELINES else env.images.serving
    return named or f"{images_url(env)}/{which}@sha256:{'0' * 64}"


def dataset(env: Environment, which: DatasetName) -> str:
    """Id of a BigQuery dataset: letters, digits and underscores."""
    return f"{env.name}_{which}"


def table_path(env: Environment, which: DatasetName, table: str) -> str:
    """A BigQuery table as Vertex AI names it: `bq://project.dataset.table`."""
    return f"bq://{env.project_id}.{dataset(env, which)}.{table}"


def secret(env: Environment, which: SecretName) -> str:
    """Id of a secret."""
    return resource(env, which)


def secret_version(env: Environment, which: SecretName) -> str:
    """Resource path of a secret's latest version."""
    return f"projects/{env.project_id}/secrets/{secret(env, which)}/versions/latest"


def template(model: str, pipeline: str, sha256: str) -> str:
    """Name of a compiled pipeline's object: by content, so that another content is another object."""
    return f"{pipeline}/{model}-{sha256[:16]}.json"


RUNS = "runs"


def pipeline_root(env: Environment) -> str:
    """Where runs on Vertex AI leave their artefacts, which expire."""
    return f"gs://{bucket(env, BucketName.PIPELINE_ROOT)}/{RUNS}"


def registry_location(env: Environment) -> str:
    """The registry of models, as tasks are told it (`ml.registry.open_registry`)."""
    key = customer_key(env, KeyName.DATA)
    place = (
        f"vertex://{env.project_id}/{env.region}/{bucket(env, BucketName.MODELS)}?image={image(env, ImageName.SERVING)}"
    )
    return f"{place}&key={key}" if key else place


def data_location(env: Environment) -> str:
    """The months of flights, as tasks are told them (`ml.datasets.origins.open_origin`)."""
    return f"bigquery://{env.project_id}/{env.region}/{dataset(env, DatasetName.FLIGHTS)}"


def monitoring_history(env: Environment) -> str:
    """Where the monitor's records are, for every engine; they do not expire."""
    return f"gs://{bucket(env, BucketName.PIPELINE_ROOT)}/monitoring"
