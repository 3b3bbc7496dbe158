"""What a run is made of, as the artefacts between its tasks say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Partitions(BaseModel):
    """The months a run reads, decided once at its start."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    month: str
    months: tuple[str, ...]  # oldest first; the last one is `month`
    data: str = ""  # where they come from (ml.datasets.origins.open_origin)


class ContractCounts(BaseModel):
    """What the contract said of one partition: counts for the report, files for whoever looks further."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    partition: str
    rows: int
    quarantined: int
    reasons: dict[str, int]
    source_hash: str
    quarantine: str | None


class Contracts(BaseModel):
    """Reports of every partition that a run read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    partitions: tuple[ContractCounts, ...]


class Lineage(BaseModel):
    """What training and held-out rows are made from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    month: str
    training_months: tuple[str, ...]
    training_rows: int
    holdout_rows: int
    trained_until: str  # ISO day
    holdout_from: str  # ISO day
    data_hash: str
    feature_hash: str
    config_hash: str
    training_hash: str
    holdout_hash: str


@dataclass(frozen=True)
class Made:
    """Where a run's tasks left what a version is registered from: a folder and three JSON files."""

    challenger: Path
    lineage: Path
    evaluation: Path
    decision: Path


@dataclass(frozen=True)
class RunOrigin:
    """Who made it: a run, from a commit, by code of this version."""

    run_id: str
    commit: str
    code_version: str


@dataclass(frozen=True)
class RunFiles:
    """Where a run's tasks left what its report shows."""

    contracts: Path
    lineage: Path
    evaluation: Path
    predictions: Path
    decision: Path
