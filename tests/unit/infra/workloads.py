"""Models that are nobody's, to look at stacks that do not change with the repository's own."""

from __future__ import annotations

import hashlib
import json

from infra.settings import Environment
from infra.workloads import CompiledPipeline, FeatureColumn, Model, PipelineName, Workloads

FEATURES = (
    FeatureColumn("distance", "float64", "Miles between the airports."),
    FeatureColumn("origin", "string", "Airport of departure."),
)


def pipeline(model: str, name: PipelineName) -> CompiledPipeline:
    spec = json.dumps({"pipelineInfo": {"name": f"{name}-{model}"}, "root": {}, "text": "${not} %{a} template"})
    return CompiledPipeline(model, name, spec, hashlib.sha256(spec.encode()).hexdigest(), {"month": "latest"})


def model(name: str) -> Model:
    return Model(name, f"Model {name}.", ("distance", "origin"), tuple(pipeline(name, each) for each in PipelineName))


def one_model(_env: Environment) -> Workloads:
    return Workloads(FEATURES, (model("fuel"),))


def two_models(_env: Environment) -> Workloads:
    return Workloads(FEATURES, (model("fuel"), model("taxi_time")))
