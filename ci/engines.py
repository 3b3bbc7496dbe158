"""The engines of an environment: what its settings and names say, given to the adapters of `pipelines`."""

from __future__ import annotations

import hashlib
import os
from enum import StrEnum
from typing import TYPE_CHECKING

from fonderie.errors import BadInputError
from fonderie.google import Access
from infra import names
from infra.settings import Environment, load_environment
from ml.config import load_model
from ml.data.months import Month
from pipelines.compile import code_version, compiled
from pipelines.engines import Engine, Run

if TYPE_CHECKING:
    from ml.serving.vertex import VertexTraffic
    from pipelines.vertex_experiments import VertexExperiments


class EngineName(StrEnum):
    """Where a pipeline runs."""

    LOCAL = "local"
    VERTEX = "vertex"
    KUBEFLOW = "kubeflow"


def registry_location(env: Environment) -> str:
    """The registry of an environment, as tasks are told it."""
    return names.registry_location(env)


def open_engine(name: EngineName, env: Environment, model: str, *, host: str = "", endpoint: str = "") -> Engine:
    """The engine `name` of `env`, for runs of `model`.

    `host` is where Kubeflow answers; `endpoint` replaces Google's address (a private gateway, a stand-in).
    """
    root = names.pipeline_root(env)
    if name is EngineName.VERTEX:
        from pipelines.engines.vertex import VertexEngine, VertexSettings

        access = Access(env.project_id, env.region, endpoint=endpoint or None)
        account = names.email(env, names.Identity.PIPELINES)
        return VertexEngine(VertexSettings(access, root, account, dict(env.all_labels)))
    if name is EngineName.KUBEFLOW:
        from pipelines.engines.kubeflow import KubeflowEngine, KubeflowSettings

        settings = KubeflowSettings(host or "http://127.0.0.1:8080", "pipeline-runner", root, names.POOL_LABEL)
        return KubeflowEngine(settings, load_model(model))
    raise BadInputError("the local engine needs no environment", hint="leave --env out")


def open_traffic(env: Environment, model: str) -> VertexTraffic:
    """The traffic split of a model's endpoint; FONDERIE_GOOGLE_ENDPOINT replaces Google's address."""
    from ml.serving.vertex import VertexTraffic

    access = Access(env.project_id, env.region, endpoint=os.environ.get("FONDERIE_GOOGLE_ENDPOINT") or None)
    return VertexTraffic(access, names.endpoint_path(env, load_model(model).name))


def open_experiments(env: Environment) -> VertexExperiments:
    """Vertex AI Experiments of `env`; FONDERIE_GOOGLE_ENDPOINT replaces Google's address."""
    from pipelines.vertex_experiments import VertexExperiments

    access = Access(env.project_id, env.region, endpoint=os.environ.get("FONDERIE_GOOGLE_ENDPOINT") or None)
    return VertexExperiments(access, dict(env.all_labels))


def run_id(model: str, month: Month) -> str:
    """The same model, configuration, month and code is the same run, wherever it is asked for."""
    config = hashlib.sha256(load_model(model).model_dump_json().encode()).hexdigest()
    return f"training-{model.replace('_', '-')}-{month}-{code_version()[:8]}-{config[:6]}"


def training_parameters(env: Environment, model: str, month: Month, commit: str) -> dict[str, str]:
    """What a training in `env` is given."""
    return {
        "month": str(month),
        "run_id": run_id(model, month),
        "registry": registry_location(env),
        "data": names.data_location(env),
        "commit": commit,
    }


def submit_training(engine: Engine, env: Environment, model: str, month: Month, commit: str) -> Run:
    """Submit the training of `model` for `month`: the run that is there already, if it was asked for before."""
    parameters = training_parameters(env, model, month, commit)
    spec = compiled(model, "training", str(env.images.pipelines))
    return engine.submit(spec, parameters["run_id"], parameters)


def environment(name: str) -> Environment:
    """The environment a remote run is of. Raises BadInputError without a name."""
    if not name:
        raise BadInputError("which environment?", where="--env", hint="a remote engine needs one: --env dev")
    return load_environment(name)
