"""Names of what runs and of where it is reached: network, cluster, topics, triggers, Vertex AI."""

from __future__ import annotations

import zlib

from infra.names.pattern import resource
from infra.names.vocabulary import FLIGHTS_TABLE
from infra.settings import Environment


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


def vertex_url(env: Environment, collection: str) -> str:
    """Address of a collection of Vertex AI's REST API, in the environment's region."""
    parent = f"projects/{env.project_id}/locations/{env.region}"
    return f"https://{env.region}-aiplatform.googleapis.com/v1/{parent}/{collection}"


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
