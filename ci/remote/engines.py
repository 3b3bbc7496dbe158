"""The engines of an environment: what its settings and names say, given to the adapters of `pipelines`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from fonderie.core.errors import BadInputError
from fonderie.google import Access
from infra import names
from infra.settings import Environment, load_environment
from ml.models import load_model
from pipelines.engines import PipelineEngine

if TYPE_CHECKING:
    from fonderie.google.endpoint_traffic import Machines, VertexEndpoint
    from pipelines.experiments.vertex import VertexExperiments


KUBEFLOW = "http://127.0.0.1:8080"
"""Where `kubectl port-forward -n kubeflow svc/ml-pipeline-ui 8080:80` opens it."""

RUNNER, MONITORING_RUNNER = "pipeline-runner", "monitoring-runner"
"""Kubernetes' accounts of the pods, each bound to its identity (`infra/stacks/runtime.py`)."""


class EngineName(StrEnum):
    """Where a pipeline runs."""

    LOCAL = "local"
    VERTEX = "vertex"
    KUBEFLOW = "kubeflow"


def chosen_engine(engine: str, env: str, host: str = "") -> PipelineEngine:
    """The engine that the options --engine, --env and --host mean. Raises BadInputError."""
    if engine not in set(EngineName):
        raise BadInputError(f"unknown engine {engine!r}", where="--engine", hint=f"one of {', '.join(EngineName)}")
    if engine != EngineName.LOCAL:
        return open_engine(EngineName(engine), environment(env), host=host)
    if env:
        raise BadInputError("the local engine needs no environment", where="--env", hint="--engine vertex, or no --env")
    from pipelines.engines.local import LocalEngine

    return LocalEngine()


def open_engine(name: EngineName, env: Environment, *, host: str = "") -> PipelineEngine:
    """The engine `name` of `env`. `host` is where Kubeflow answers. Raises BadInputError for the local one."""
    root = names.pipeline_root(env)
    if name is EngineName.VERTEX:
        from pipelines.engines.vertex import VertexEngine, VertexSettings

        account = names.email(env, names.IdentityName.PIPELINES)
        own = {"monitoring": names.email(env, names.IdentityName.MONITORING)}
        key = names.customer_key(env, names.KeyName.DATA) or ""
        return VertexEngine(VertexSettings(access(env), root, account, dict(env.all_labels), own, key))
    if name is EngineName.KUBEFLOW:
        from pipelines.engines.kubeflow import KubeflowEngine, KubeflowSettings

        own = {"monitoring": MONITORING_RUNNER}
        settings = KubeflowSettings(host or KUBEFLOW, RUNNER, root, names.POOL_LABEL, own_accounts=own)
        return KubeflowEngine(settings)
    raise BadInputError("the local engine needs no environment", hint="leave --env out")


def access(env: Environment) -> Access:
    """How Google is reached for `env`; FONDERIE_GOOGLE_ENDPOINT replaces its address."""
    return Access.from_environment(env.project_id, env.region)


def open_endpoint(env: Environment, model: str) -> VertexEndpoint:
    """A model's endpoint on Vertex AI. Raises BadInputError for a model that is not there."""
    from fonderie.google.endpoint_traffic import VertexEndpoint

    name = load_model(model).name
    account = names.email(env, names.IdentityName.SERVING)
    return VertexEndpoint(access(env), names.endpoint_path(env, name), name, account=account)


def serving_machines(env: Environment) -> Machines:
    """The machines that the settings want versions on."""
    from fonderie.google.endpoint_traffic import Machines

    return Machines(env.serving.machine_type, env.serving.min_replicas, env.serving.max_replicas)


def open_experiments(env: Environment) -> VertexExperiments:
    """A client of Vertex AI Experiments in the environment's project."""
    from pipelines.experiments.vertex import VertexExperiments

    key = names.customer_key(env, names.KeyName.DATA) or ""
    return VertexExperiments(access(env), dict(env.all_labels), key=key)


def environment(name: str) -> Environment:
    """The environment a remote run is of. Raises BadInputError without a name."""
    if not name:
        raise BadInputError("a remote engine needs an environment", where="--env", hint="for example --env dev")
    return load_environment(name)
