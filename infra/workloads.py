"""Plain data about the models: all that the stacks know of them. `ci.synth` makes it from `ml` and `pipelines`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PipelineName(StrEnum):
    """The pipelines every model has."""

    TRAINING = "training"
    MONITORING = "monitoring"


@dataclass(frozen=True)
class FeatureColumn:
    """A feature as `ml` defines it. `dtype` is float64 or string."""

    name: str
    dtype: str
    description: str


@dataclass(frozen=True)
class CompiledPipeline:
    """A Kubeflow pipeline compiled to JSON. `sha256` is of `spec`; `parameters` are what a run is started with."""

    model: str
    pipeline: PipelineName
    spec: str
    sha256: str
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A model by name, with the features it reads and its compiled pipelines."""

    name: str
    description: str
    features: tuple[str, ...]
    pipelines: tuple[CompiledPipeline, ...]


@dataclass(frozen=True)
class Workloads:
    """Everything that runs on the platform: all features there are, and the models that read some of them."""

    features: tuple[FeatureColumn, ...] = ()
    models: tuple[Model, ...] = ()
