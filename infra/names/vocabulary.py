"""What there is to name: stacks, identities, service agents, keys, buckets, datasets, secrets; and fixed words."""

from __future__ import annotations

from enum import StrEnum

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


class Stack(StrEnum):
    """The stacks of an environment, longest life first; each may name what those before it create."""

    BOOTSTRAP = "bootstrap"
    FOUNDATION = "foundation"
    DATA = "data"
    RUNTIME = "runtime"
    DELIVERY = "delivery"


class Identity(StrEnum):
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


class Agent(StrEnum):
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
    Agent.BIGQUERY,
    Agent.ARTIFACT_REGISTRY,
    Agent.SECRET_MANAGER,
    Agent.PUBSUB,
    Agent.CLOUD_BUILD,
    Agent.EVENTARC,
    Agent.GKE_HUB,
)


class Key(StrEnum):
    """Encryption keys, one a kind of data: each can be rotated and withdrawn alone."""

    STATE = "state"
    DATA = "data"
    CLUSTER = "cluster"
    SECRETS = "secrets"


class Bucket(StrEnum):
    """Buckets; the state's is the bootstrap's, the others are the data stack's."""

    STATE = "state"
    RAW = "raw"
    MODELS = "models"
    PIPELINE_ROOT = "pipeline-root"
    TEMPLATES = "templates"


class Dataset(StrEnum):
    """BigQuery datasets."""

    FLIGHTS = "flights"
    FEATURES = "features"
    MONITORING = "monitoring"


class Secret(StrEnum):
    """Secrets; their values are put in by people, never by Terraform."""

    GIT_TOKEN = "git-token"
