"""A model's TOML file: one file is one model."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator

from fonderie.core.toml import near
from ml.evaluation.metrics import TaskKind, metrics_of
from ml.features.catalogue import CATALOGUE, LABELS, FeatureKind
from ml.models.config.compute import TASKS, Task, with_defaults
from ml.models.config.drift import Drift
from ml.models.config.gate import Gate
from ml.models.config.section import Fraction, Months, Section
from ml.models.config.serving import Serving


class Target(Section):
    """The label: a column known after landing, or whether it reaches a threshold."""

    column: str
    threshold: float | None = Field(default=None, description="classification: positive at or above this")

    @model_validator(mode="after")
    def _is_a_label(self) -> Self:
        if self.column not in LABELS:
            raise ValueError(f"column = {self.column!r} is not a label; {near(self.column, list(LABELS))}")
        return self


class Features(Section):
    """Names from the feature catalogue (`ml/features/definitions/`), in the order the model sees them."""

    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Numeric ones first, then the categorical ones."""
        return self.numeric + self.categorical

    @model_validator(mode="after")
    def _are_in_the_catalogue(self) -> Self:
        if not self.names:
            raise ValueError("a model needs at least one feature")
        if len(set(self.names)) < len(self.names):
            raise ValueError(f"named twice: {', '.join(sorted({n for n in self.names if self.names.count(n) > 1}))}")
        for kind, names in ((FeatureKind.NUMERIC, self.numeric), (FeatureKind.CATEGORICAL, self.categorical)):
            for name in names:
                _check_feature(name, kind)
        return self


def _check_feature(name: str, kind: FeatureKind) -> None:
    if name not in CATALOGUE:
        raise ValueError(f"{name!r} is not in the feature catalogue; {near(name, list(CATALOGUE))}")
    if CATALOGUE[name].kind is not kind:
        raise ValueError(f"{name!r} is {CATALOGUE[name].kind}, not {kind}")


class Data(Section):
    """What is read, and how bad it may be."""

    max_quarantined_fraction: Fraction = Field(default=0.02, description="of a month's rows; above it the run stops")
    holdout_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.4, description="of the month's days, at its end: intervals by day need a dozen"
    )
    max_bytes_billed: Annotated[int, Field(ge=1, lt=2**63)] = Field(
        default=20_000_000_000, description="of a query on BigQuery; above it the run is refused"
    )


class Hyperparameters(Section):
    """Of scikit-learn's HistGradientBoosting, by its own names."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.1
    max_iter: Annotated[int, Field(ge=1, le=100_000)] = 200
    max_leaf_nodes: Annotated[int, Field(ge=2, le=65_536)] = 31
    min_samples_leaf: Annotated[int, Field(ge=1, lt=2**31)] = 20
    l2_regularization: Annotated[float, Field(ge=0)] = 0.0
    max_bins: Annotated[int, Field(ge=2, le=255)] = 255


class Training(Section):
    """What a version is made from."""

    window_months: Months = Field(
        default=12, description="the month itself and those before it, as far as there is data"
    )
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7  # what NumPy takes
    feed_outages: Fraction = Field(
        default=0.05, description="of the rows, for each feed: trained on without it, so that the model knows null"
    )
    hyperparameters: Hyperparameters = Hyperparameters()


class ModelConfig(Section):
    """Everything that makes one model different from another. What a file does not state has the default."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    description: str
    task: TaskKind
    target: Target
    features: Features
    data: Data = Data()
    training: Training = Training()
    gate: Gate
    drift: Drift = Drift()
    serving: Serving
    compute: Annotated[dict[str, Task], BeforeValidator(with_defaults)] = Field(default={}, validate_default=True)

    def task_compute(self, task: str) -> Task:
        """The `[compute.<task>]` section, or the default one."""
        return self.compute.get(task) or self.compute.get("default") or Task()

    @model_validator(mode="after")
    def _seasons_are_of_this_model(self) -> Self:
        object.__setattr__(self, "drift", self.drift.of_features(self.features.names))
        return self

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        if (self.target.threshold is not None) != (self.task is TaskKind.CLASSIFICATION):
            needs = "needs a" if self.task is TaskKind.CLASSIFICATION else "has no"
            raise ValueError(f"target.threshold: {self.task} {needs} threshold")
        if self.gate.metric.task is not self.task:
            known = ", ".join(map(str, metrics_of(self.task)))
            raise ValueError(f"gate.metric: {self.gate.metric} does not apply to {self.task}; {known} do")
        for name in self.gate.slices:
            if name not in CATALOGUE or CATALOGUE[name].kind is not FeatureKind.CATEGORICAL:
                names = [n for n, feature in CATALOGUE.items() if feature.kind is FeatureKind.CATEGORICAL]
                raise ValueError(f"gate.slice_tolerance: {name!r} is not a categorical feature; {near(name, names)}")
        if (naive := self.gate.naive_feature) is not None:
            _check_feature(naive, FeatureKind.NUMERIC)
        for name in self.drift.seasonal_features:
            if name not in self.features.names:
                raise ValueError(f"drift.seasonal_features: {name!r} is not a feature of this model")
        for name in self.compute:
            if name not in ("default", *TASKS):
                raise ValueError(f"compute.{name}: unknown task; {near(name, ['default', *TASKS])}")
        return self
