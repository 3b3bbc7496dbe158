"""Candidates small enough to register by the dozen: the registry does not look inside a model."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from ml.evaluation.decision import Decision
from ml.evaluation.gate import Expected, decide
from ml.evaluation.metrics import MAE
from ml.evaluation.scores import Role, Score, SliceScore
from ml.models import Gate
from ml.registry import Candidate, SchemaColumn

NOW = datetime(2013, 5, 1, 12, 0, tzinfo=UTC)
FILES = ("model.skops", "probe.parquet", "reference.parquet")
RULES = Gate(
    metric=MAE,
    floor=15.0,
    ceiling=2.0,
    min_gain=0.01,
    min_rows=10,
    min_slice_rows=10,
    slice_tolerance={"origin": 0.05},
)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def decision(score: Score) -> Decision:
    return decide(score, None, RULES, Expected(holdout_hash="rows", champion_hash=None))


def make_candidate(folder: Path, name: str, *, model: str = "air_time") -> Candidate:
    """Files under `folder` and the candidate that names them; `name` makes it different from others."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {file: f"{file} of {name}".encode() * 200 for file in FILES}
    for file, data in contents.items():
        (folder / file).write_bytes(data)
    score = Score(
        role=Role.CHALLENGER,
        model_hash=digest(contents["model.skops"]),
        holdout_hash="rows",
        rows=100,
        name="mae",
        metric=6.5,
        slices=(SliceScore(dimension="origin", value="EWR", rows=100, metric=6.5),),
        trained_until="2013-04-21",
        holdout_from="2013-04-22",
    )
    return Candidate(
        model=model,
        run_id=f"run-{name}",
        task="regression",
        target="air_time",
        month="2013-04",
        training_months=("2013-01", "2013-02", "2013-03", "2013-04"),
        training_rows=1000,
        features=(SchemaColumn(name="distance", kind="numeric"),),
        parameters={"learning_rate": 0.1, "max_iter": 200},
        seed=7,
        metrics=score,
        decision=decision(score),
        commit="0" * 40,
        code_version="code",
        config_hash="config",
        data_hash="data",
        feature_hash="features",
        holdout_hash="rows",
        model_hash=score.model_hash,
        prediction_hash="predictions",
        packages={"scikit-learn": "1.9.1"},
        files={file: digest(data) for file, data in contents.items()},
    )
