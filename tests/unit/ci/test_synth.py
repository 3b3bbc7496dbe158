"""What the stacks are told of the repository's models."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from ci.synth import load_workloads, parameters
from fonderie.core.errors import BadInputError
from infra.settings import load_environment
from infra.workloads import PipelineName
from ml.models import list_models
from pipelines.compile import PIPELINES


def spec(**wanted: bool) -> dict[str, Any]:
    """A pipeline's signature: parameter -> whether it has a default."""
    rules = {name: {"parameterType": "STRING", "isOptional": optional} for name, optional in wanted.items()}
    return {"root": {"inputDefinitions": {"parameters": rules}}}


def test_every_model_comes_with_features_of_the_catalogue_and_its_compiled_pipelines() -> None:
    env = load_environment("local")
    workloads = load_workloads(env)
    known = {feature.name for feature in workloads.features}
    assert [model.name for model in workloads.models] == list_models()
    for model in workloads.models:
        assert set(model.features) <= known
        assert {each.pipeline for each in model.pipelines} == {name for name in PipelineName if name in PIPELINES}
        for each in model.pipelines:
            assert hashlib.sha256(each.spec.encode()).hexdigest() == each.sha256
            assert env.images.pipelines in each.spec


def test_another_image_is_another_spec() -> None:
    local, dev = (load_workloads(load_environment(name)).models[0].pipelines[0] for name in ("local", "dev"))
    assert local.sha256 != dev.sha256


def test_a_schedule_gives_what_is_required_and_leaves_defaults_alone() -> None:
    env, training, monitoring = load_environment("dev"), PipelineName.TRAINING, PipelineName.MONITORING
    assert parameters(env, "fuel", training, spec(month=False, run_id=True, commit=True)) == {"month": "latest"}
    assert parameters(env, "fuel", monitoring, spec(month=True, topic=True)) == {
        "topic": "projects/acme-ml-dev/topics/dev-retrain"
    }
    assert parameters(env, "fuel", monitoring, spec(registry=True, history=True)) == {
        "registry": f"vertex://acme-ml-dev/europe-west1/acme-ml-dev-models?image={env.images.serving}",
        "history": "gs://acme-ml-dev-pipeline-root/monitoring",
    }
    assert parameters(env, "fuel", training, spec(events=True)) == {"events": "projects/acme-ml-dev/logs/dev-events"}
    assert parameters(env, "fuel", training, {"root": {}}) == {}


def test_a_pipeline_that_wants_what_a_schedule_can_not_know_is_refused_by_name() -> None:
    with pytest.raises(BadInputError, match=r"training of fuel.*needs shoe_size"):
        parameters(load_environment("dev"), "fuel", PipelineName.TRAINING, spec(shoe_size=False, month=False))


def test_the_pipelines_of_the_repository_get_every_parameter_they_want() -> None:
    for model in load_workloads(load_environment("prod")).models:
        for each in model.pipelines:
            wanted = json.loads(each.spec)["root"]["inputDefinitions"]["parameters"]
            required = {name for name, rule in wanted.items() if not rule.get("isOptional")}
            assert required <= set(each.parameters)
