"""Names of what is kept: buckets and objects, keys, images, datasets and tables, secrets."""

from __future__ import annotations

from infra.names.pattern import resource
from infra.names.vocabulary import Bucket, Dataset, Key, Secret
from infra.settings import Environment


def bucket(env: Environment, which: Bucket) -> str:
    """Names of buckets are global, so they begin with the project: at most 30 + 8 + 13 + 2 = 53 of 63 characters."""
    project = env.project_id.removesuffix(f"-{env.name}")
    return f"{project}-{env.name}-{which}"


def key_ring(env: Environment) -> str:
    """Name of the key ring: it can never be deleted, so never made twice."""
    return resource(env, "fonderie")


def key_path(env: Environment, which: Key) -> str:
    """Resource path of a key."""
    ring = f"projects/{env.project_id}/locations/{env.region}/keyRings/{key_ring(env)}"
    return f"{ring}/cryptoKeys/{which}"


def customer_key(env: Environment, which: Key) -> str | None:
    """Resource path of the key to encrypt with, or None where the environment leaves that to Google."""
    return key_path(env, which) if env.customer_keys else None


def images(env: Environment) -> str:
    """Id of the Docker registry."""
    return resource(env, "images")


def images_url(env: Environment) -> str:
    """Address of the Docker registry, to which `/name:tag` or `/name@digest` is added."""
    return f"{env.region}-docker.pkg.dev/{env.project_id}/{images(env)}"


def dataset(env: Environment, which: Dataset) -> str:
    """Id of a BigQuery dataset: letters, digits and underscores."""
    return f"{env.name}_{which}"


def table_path(env: Environment, which: Dataset, table: str) -> str:
    """A BigQuery table as Vertex AI names it: `bq://project.dataset.table`."""
    return f"bq://{env.project_id}.{dataset(env, which)}.{table}"


def secret(env: Environment, which: Secret) -> str:
    """Id of a secret."""
    return resource(env, which)


def secret_version(env: Environment, which: Secret) -> str:
    """Resource path of a secret's latest version."""
    return f"projects/{env.project_id}/secrets/{secret(env, which)}/versions/latest"


def template(model: str, pipeline: str, sha256: str) -> str:
    """Name of a compiled pipeline's object: by content, so that another content is another object."""
    return f"{pipeline}/{model}-{sha256[:16]}.json"


RUNS = "runs"
"""Folder of the pipelines' bucket whose objects expire; whatever lies beside it is kept."""


def pipeline_root(env: Environment) -> str:
    """Where runs on Vertex AI leave their artefacts, which expire."""
    return f"gs://{bucket(env, Bucket.PIPELINE_ROOT)}/{RUNS}"


def registry_location(env: Environment) -> str:
    """The registry of models, as tasks are told it (`ml.registry.open_registry`)."""
    return f"vertex://{env.project_id}/{env.region}/{bucket(env, Bucket.MODELS)}?image={env.images.serving}"


def data_location(env: Environment) -> str:
    """The months of flights, as tasks are told them (`ml.data.origins.open_origin`)."""
    return f"bigquery://{env.project_id}/{env.region}/{dataset(env, Dataset.FLIGHTS)}"


def monitoring_history(env: Environment) -> str:
    """Folder of the monitor's records, as Vertex AI mounts the bucket into a task; they do not expire."""
    return f"/gcs/{bucket(env, Bucket.PIPELINE_ROOT)}/monitoring"
