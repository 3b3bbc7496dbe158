"""Put challenger and champion before the same held-out rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fonderie.core.errors import BadDataError, RefusedError
from ml.datasets.parquet import content_hash, read_parquet
from ml.evaluation.answers import read_answers
from ml.evaluation.baselines import read_baselines
from ml.evaluation.evaluate import Subject, importance, score
from ml.evaluation.scores import Evaluation, Role
from ml.models import ModelConfig
from ml.registry import Registry, Version
from ml.registry.lineage import Lineage
from ml.training import artefact

SAMPLE_ROWS = 4000


def compare(
    config: ModelConfig, registry: Registry, challenger: Path, holdout: Path, lineage: Lineage
) -> tuple[Evaluation, pa.Table]:
    """The Evaluation, and a sample of rows with `actual`, `challenger`, `champion` (null without one).

    A champion that cannot be scored (its file is damaged, it wants a feature that is gone) is said in the evaluation;
    the gate then keeps it.
    """
    rows, rows_hash = read_parquet(holdout), content_hash(holdout)
    made = artefact.Fit.model_validate_json((challenger / artefact.FIT).read_text())
    model = read_answers(challenger, model=config.name, files=made.files)
    subject = Subject(
        role=Role.CHALLENGER,
        model_hash=made.model_hash,
        holdout_hash=rows_hash,
        trained_until=lineage.trained_until,
        holdout_from=lineage.holdout_from,
    )
    ours = model.predict(model.matrix(rows))
    champion = _champion(registry)
    theirs, problem = _predictions(champion, rows) if champion else (None, None)
    evaluation = Evaluation(
        month=lineage.month,
        metric=str(config.gate.metric),
        unit=config.gate.metric.unit,
        challenger=score(
            config,
            subject,
            rows,
            ours,
            champion=theirs,
            baselines=read_baselines(challenger).predictions(rows, config.gate.naive_feature),
        ),
        champion=None
        if champion is None or theirs is None
        else score(config, _as_champion(subject, champion), rows, theirs),
        champion_version=champion.record.version if champion else None,
        champion_problem=problem,
        importance=importance(config, model, rows),
    )
    return evaluation, _sample(rows, ours, theirs)


def _champion(registry: Registry) -> Version | None:
    number = registry.aliases().champion
    return None if number is None else registry.get(number)


def _predictions(champion: Version, rows: pa.Table) -> tuple[NDArray[np.float64] | None, str | None]:
    """The champion's answers by its own features, or why there are none."""
    try:
        record = champion.record
        model = read_answers(champion.folder, model=record.model, files=record.files, version=record.label)
        return model.predict(model.matrix(rows)), None
    except (BadDataError, RefusedError) as error:
        return None, str(error)


def _as_champion(subject: Subject, champion: Version) -> Subject:
    return subject.model_copy(
        update={
            "role": Role.CHAMPION,
            "model_hash": champion.record.model_hash,
            "trained_until": champion.record.metrics.trained_until,
        }
    )


def _sample(rows: pa.Table, ours: NDArray[np.float64], theirs: NDArray[np.float64] | None) -> pa.Table:
    at = np.linspace(0, len(rows) - 1, min(SAMPLE_ROWS, len(rows))).astype(np.int64)
    return pa.table(
        {
            "actual": rows["target"].to_numpy()[at],
            "challenger": ours[at],
            "champion": pa.nulls(len(at), pa.float64()) if theirs is None else pa.array(theirs[at]),
        }
    )
