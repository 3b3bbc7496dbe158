"""The app that `cdktf.json` starts: the platform's stacks with the repository's models as their workloads.

`python -m ci.synth [--env NAME,...]` does the same alone. Here `infra` meets `ml` and `pipelines`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError
from infra import main as app
from infra import names
from infra.settings import Backend, Environment
from infra.workloads import CompiledPipeline, FeatureColumn, Model, PipelineName, Workloads
from ml.features.catalogue import feature_definitions
from ml.models import ModelConfig, list_models, load_model
from pipelines.compile import PIPELINES, compile_pipeline

LATEST = "latest"


def synthesise(environments: Sequence[Environment], outdir: Path, *, backend: Backend | None = None) -> None:
    """Write the stacks of `environments` under `outdir`, as `infra.main` does, with the repository's workloads."""
    app.synthesise(environments, outdir, load_workloads, backend=backend)


def load_workloads(env: Environment) -> Workloads:
    """The models of `ml/models`, their features, and their pipelines compiled for the environment's image.

    A spec that is missing or stale is compiled; one that is up to date costs nothing. Raises BadInputError for what is
    wrong in a model's file or in a pipeline's parameters.
    """
    features = tuple(FeatureColumn(each.name, each.dtype, each.description) for each in feature_definitions())
    return Workloads(features, tuple(_model(env, load_model(name)) for name in list_models()))


def _model(env: Environment, config: ModelConfig) -> Model:
    pipelines = tuple(_pipeline(env, config.name, name) for name in PipelineName if name in PIPELINES)
    return Model(config.name, config.description, config.features.names, pipelines)


def _pipeline(env: Environment, model: str, name: PipelineName) -> CompiledPipeline:
    compiled_spec = compile_pipeline(model, name, names.image(env, names.ImageName.PIPELINES))
    text = compiled_spec.path.read_text(encoding="utf-8")
    return CompiledPipeline(model, name, text, compiled_spec.sha256, parameters(env, model, name, json.loads(text)))


def parameters(env: Environment, model: str, pipeline: PipelineName, spec: dict[str, Any]) -> dict[str, str]:
    """What a schedule starts a run with: checked against the pipeline's own signature, long before Vertex AI would.

    What has a default keeps it, but for what only the infrastructure knows. Raises BadInputError when the pipeline
    wants something that a schedule can't know.
    """
    if_wanted = {
        "registry": names.registry_location(env),
        "history": names.monitoring_history(env),
        "data": names.data_location(env),
        "events": names.event_log(env),
    }
    if env.features.continuous_training:
        if_wanted["topic"] = names.topic_path(env, names.RETRAIN)
    if_required = {"month": LATEST, "model": model}
    wanted = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    required = [name for name, rule in wanted.items() if not rule.get("isOptional")]
    if missing := [name for name in required if name not in if_wanted | if_required]:
        raise BadInputError(
            f"the pipeline needs {', '.join(missing)}, which a schedule can't provide",
            where=f"pipelines: {pipeline} of {model}",
            hint="give the parameter a default, or add it to ci/synth.py",
        )
    given = if_wanted | {name: value for name, value in if_required.items() if name in required}
    return {name: value for name, value in given.items() if name in wanted}


if __name__ == "__main__":
    raise SystemExit(app.main(load_workloads))
