"""What is known of a version: where it came from, what it is made of, how good it is, and why it was let in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from fonderie.core.errors import BadDataError
from ml.evaluation.decision import Decision
from ml.evaluation.scores import Score
from ml.records import Record

RECORD_FILE = "model_record.json"
SEAL = "record_sha256"


class SchemaColumn(BaseModel):
    """One feature the model reads, in its order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: str  # "numeric" (float64) or "categorical" (string)


class Candidate(Record):
    """A trained model that asks for a version. `files` names every file of its folder with its SHA-256."""

    model: str
    run_id: str
    task: str
    target: str
    month: str = Field(description="whose tail was held out")
    training_months: tuple[str, ...]
    training_rows: int
    features: tuple[SchemaColumn, ...]
    parameters: dict[str, float | int | str | bool | None]
    seed: int
    metrics: Score
    decision: Decision
    commit: str
    code_version: str = Field(description="hash of the sources that made it")
    config_hash: str
    config: str = Field(default="", description="the model's configuration as JSON: what config_hash is of")
    environment: dict[str, str] = Field(
        default={}, description="Python, system, processors and threads of its training"
    )
    data_hash: str
    feature_hash: str
    holdout_hash: str
    model_hash: str = Field(description="SHA-256 of model_file")
    prediction_hash: str = Field(description="of the predictions on probe_file: equal for an equal model")
    packages: dict[str, str]
    model_file: str = "model.skops"
    probe_file: str = "probe.parquet"
    reference_file: str = Field(default="reference.parquet", description="training rows, sampled, for drift")
    files: dict[str, str]

    @field_validator("files")
    @classmethod
    def _flat(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            if "/" in name or name.startswith(".") or name == RECORD_FILE:
                raise ValueError(f"{name!r} cannot be a file of a version")
        return files


class ModelRecord(Candidate):
    """A candidate that got its version. Written once, never changed."""

    version: int = Field(ge=1)
    registered_at: datetime

    @property
    def label(self) -> str:
        """`v003`, as folders and tables write it."""
        return f"v{self.version:03d}"


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """A document as JSON values with the SHA-256 of the rest, so that a hand-edited one is found out."""
    return {**values, SEAL: _digest(values)}


def check_seal(values: Mapping[str, Any], *, required: bool, where: str | Path) -> None:
    """Raises BadDataError when a document has another seal than its values give, or none where it is required."""
    seal = values.get(SEAL)
    rest = {name: value for name, value in values.items() if name != SEAL}
    if (seal is not None or required) and seal != _digest(rest):
        raise BadDataError("was changed after it was written: its seal differs", where=where, hint="restore it")


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
