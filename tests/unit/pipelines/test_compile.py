"""A compiled pipeline is a file that depends on the model, the image and the code, and on nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fonderie.core.errors import BadInputError
from ml.models import load_model
from ml.models.config.compute import TASKS
from pipelines.compile import PIPELINES, ROOT, CompiledSpec, compile_config, compile_pipeline

IMAGE = "europe-docker.pkg.dev/p/r/pipelines@sha256:" + "0" * 64


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))


@pytest.fixture
def spec() -> CompiledSpec:
    return compile_pipeline("air_time", "training", IMAGE)


def test_the_hash_is_of_the_file_and_the_name_is_stable(spec: CompiledSpec) -> None:
    assert spec.sha256 == hashlib.sha256(spec.path.read_bytes()).hexdigest()
    assert spec.name == spec.read()["pipelineInfo"]["name"] == "training-air-time"


def test_compiling_again_elsewhere_gives_the_same_bytes(spec: CompiledSpec, tmp_path: Path) -> None:
    script = f"from pipelines import compile; print(compile.compile_pipeline('air_time', 'training', {IMAGE!r}).sha256)"
    environment = {**os.environ, "FONDERIE_HOME": str(tmp_path / "elsewhere"), "PYTHONHASHSEED": "1"}

    again = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert again.stdout.strip() == spec.sha256, again.stderr


def test_an_up_to_date_spec_costs_no_import_of_kfp(spec: CompiledSpec, tmp_path: Path) -> None:
    script = (
        f"import sys; from pipelines import compile; compile.compile_pipeline('air_time', 'training', {IMAGE!r});"
        "print([name for name in ('kfp', 'sklearn', 'ibis', 'pandas') if name in sys.modules])"
    )

    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)

    assert loaded.stdout.strip() == "[]", loaded.stderr


@pytest.mark.parametrize("change", [{"min_gain": 0.02}, {"floor": 14.0}])
def test_a_changed_limit_of_the_gate_is_another_spec(spec: CompiledSpec, change: dict[str, Any]) -> None:
    config = load_model("air_time")
    other = config.model_copy(update={"gate": config.gate.model_copy(update=change)})

    assert compile_config(other, "training", IMAGE).sha256 != spec.sha256


def test_another_image_is_another_spec_and_runs_every_task(spec: CompiledSpec) -> None:
    other = compile_pipeline("air_time", "training", IMAGE.replace("0", "1"))

    assert other.sha256 != spec.sha256
    images = {each["container"]["image"] for each in spec.read()["deploymentSpec"]["executors"].values()}
    assert images == {IMAGE}


def test_every_task_is_told_the_code_version(spec: CompiledSpec) -> None:
    executors = {name: each for name, each in spec.read()["components"].items() if "executorLabel" in each}

    assert len(executors) == 10
    for name, component in executors.items():
        assert "code_version" in component["inputDefinitions"]["parameters"], name


@pytest.mark.parametrize("pipeline", ["training", "batch", "monitoring"])
def test_no_task_is_answered_from_a_cache_and_a_schedule_s_run_has_the_engine_s_name(pipeline: str) -> None:
    document = compile_pipeline("air_time", pipeline, "image").read()
    dags = [document["root"], *document["components"].values()]
    tasks = {name: task for dag in dags for name, task in dag.get("dag", {}).get("tasks", {}).items()}

    cached = [name for name, task in tasks.items() if task.get("cachingOptions", {}).get("enableCache")]
    job = tasks["conclude"]["inputs"]["parameters"]["job"]

    assert cached == []
    assert job == {"runtimeValue": {"constant": "{{$.pipeline_job_name}}"}}
    assert "defaultValue" in document["root"]["inputDefinitions"]["parameters"]["run_id"]


def test_machines_come_from_the_model_s_file(spec: CompiledSpec) -> None:
    executors = spec.read()["deploymentSpec"]["executors"]

    assert executors["exec-train"]["container"]["resources"]["resourceCpuLimit"] == "4"
    assert executors["exec-gate"]["container"]["resources"]["resourceCpuLimit"] == "2"


def test_promotion_hangs_on_the_gate_s_word_alone(spec: CompiledSpec) -> None:
    text = json.dumps(spec.read())

    assert "== 'promote'" in text
    assert "!(inputs.parameter_values" in text  # the other branch is its negation: one of both runs


def test_an_unknown_pipeline_or_model_is_said() -> None:
    with pytest.raises(BadInputError, match="training"):
        compile_pipeline("air_time", "trainig", IMAGE)
    with pytest.raises(BadInputError, match="air_tim"):
        compile_pipeline("air_tim", "training", IMAGE)


def test_the_tasks_that_a_model_may_give_a_machine_are_those_of_the_pipelines() -> None:
    found = set()
    for pipeline in PIPELINES:
        document = compile_pipeline("air_time", pipeline, "image").read()
        dags = [document["root"], *document["components"].values()]
        tasks = [task for dag in dags for task in dag.get("dag", {}).get("tasks", {}).items()]
        found |= {
            name for name, task in tasks if "executorLabel" in document["components"][task["componentRef"]["name"]]
        }

    assert found == set(TASKS)
