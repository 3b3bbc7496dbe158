"""Pipelines as files: `compile_pipeline("air_time", "training", image)` is a deterministic JSON spec and its SHA-256.

A spec depends on the model's configuration, the image and the code of the packages, and on nothing else. It is kept
under `.fonderie/cache/specs` by those three, so that a spec that is up to date costs no import of kfp (two seconds).
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError
from fonderie.core.files import write_text
from fonderie.core.home import home
from ml.models import ModelConfig, load_model

ROOT = Path(__file__).parents[1]
PACKAGES = ("fonderie/core", "fonderie/google", "ml", "pipelines")
"""What the pipelines image holds, as ci/images/pipelines.Dockerfile copies it."""

PIPELINES = {
    "training": "pipelines.training.pipeline",
    "batch": "pipelines.batch.pipeline",
    "monitoring": "pipelines.monitoring.pipeline",
}
"""Name -> module with `define(config, config_json, code)`, a Kubeflow pipeline function."""


@dataclass(frozen=True)
class CompiledSpec:
    """A Kubeflow PipelineSpec as JSON. `name` is stable, `sha256` is of the file's bytes."""

    name: str  # "training-air-time"
    model: str
    pipeline: str
    path: Path
    sha256: str

    def read(self) -> dict[str, Any]:
        """The Kubeflow pipeline spec, parsed."""
        spec: dict[str, Any] = json.loads(self.path.read_bytes())
        return spec


def compile_pipeline(model: str, pipeline: str, image: str) -> CompiledSpec:
    """The spec of a pipeline for a model, run in `image` (name it by digest where it is not a laptop).

    Raises BadInputError: no such model or pipeline, or what is wrong in the model's file.
    """
    if pipeline not in PIPELINES:
        raise BadInputError(f"unknown pipeline {pipeline!r}", hint=f"there are: {', '.join(sorted(PIPELINES))}")
    return compile_config(load_model(model), pipeline, image)


def compile_config(config: ModelConfig, pipeline: str, image: str) -> CompiledSpec:
    """The same for a configuration that need not be in a file."""
    code = code_version()
    key = hashlib.sha256("\n".join((pipeline, image, code, config.model_dump_json())).encode()).hexdigest()
    path = home() / "cache" / "specs" / f"{pipeline}-{config.name}-{key[:16]}.json"
    if not path.exists():
        write_text(path, json.dumps(_compile(config, pipeline, image, code), indent=1, sort_keys=True) + "\n")
    name = f"{pipeline}-{config.name.replace('_', '-')}"
    return CompiledSpec(name, config.name, pipeline, path, hashlib.sha256(path.read_bytes()).hexdigest())


@cache
def code_version() -> str:
    """Hash of every source of the packages that run in a task: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(f"{path.relative_to(ROOT).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _sources() -> Iterator[Path]:
    """Python files and what they read beside them; the models' files are arguments, not code."""
    kept = {".py", ".j2", ".css", ".sql"}
    for package in PACKAGES:
        yield from sorted(path for path in (ROOT / package).rglob("*") if path.suffix in kept)


def _compile(config: ModelConfig, pipeline: str, image: str, code: str) -> dict[str, Any]:
    from google.protobuf import json_format

    from pipelines.component import IMAGE

    define = importlib.import_module(PIPELINES[pipeline]).define
    function = define(config, config.model_dump_json(), code)
    spec: dict[str, Any] = json_format.MessageToDict(function.pipeline_spec)
    for executor in spec["deploymentSpec"]["executors"].values():
        if executor["container"]["image"] == IMAGE:
            executor["container"]["image"] = image
    return spec
