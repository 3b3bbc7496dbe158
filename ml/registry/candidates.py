"""From a run's artefacts to a registered version."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path

from fonderie.core.errors import RefusedError
from ml.evaluation.decision import Decision, Outcome
from ml.evaluation.scores import Evaluation
from ml.models import ModelConfig
from ml.registry import Candidate, Registry
from ml.registry.lineage import Lineage, Made, RunOrigin
from ml.training.artefact import FIT, Fit


def candidate_of(config: ModelConfig, origin: RunOrigin, made: Made) -> tuple[Candidate, int | None]:
    """The candidate, and the version it was compared with. Raises RefusedError unless the gate said `promote`."""
    fit = Fit.model_validate_json((made.challenger / FIT).read_text())
    lineage = Lineage.model_validate_json(made.lineage.read_text())
    evaluation = Evaluation.model_validate_json(made.evaluation.read_text())
    decision = Decision.model_validate_json(made.decision.read_text())
    if decision.outcome is not Outcome.PROMOTE or decision.challenger_hash != fit.model_hash:
        raise RefusedError("the gate did not accept this challenger", where=made.decision)
    candidate = Candidate(
        model=config.name,
        run_id=origin.run_id,
        task=str(config.task),
        target=config.target.column,
        month=lineage.month,
        training_months=lineage.training_months,
        training_rows=lineage.training_rows,
        features=fit.features,
        parameters=fit.parameters,
        seed=fit.seed,
        metrics=evaluation.challenger,
        decision=decision,
        commit=origin.commit,
        code_version=origin.code_version,
        config_hash=lineage.config_hash,
        config=config.model_dump_json(),
        environment=fit.environment,
        data_hash=lineage.data_hash,
        feature_hash=lineage.feature_hash,
        holdout_hash=lineage.holdout_hash,
        model_hash=fit.model_hash,
        prediction_hash=fit.prediction_hash,
        packages=fit.packages,
        files=fit.files,
    )
    return candidate, evaluation.champion_version


def register_and_promote(registry: Registry, candidate: Candidate, folder: Path, replaced: int | None) -> str:
    """Register, then make champion if the champion is still `replaced`; safe to repeat. The version's label."""
    who, now = _user(), datetime.now(UTC)
    record = registry.register(candidate, folder, who=who, now=now)
    champion = registry.aliases().champion
    if champion != record.version:
        registry.promote(record.version, replaced, reason=f"gate of run {candidate.run_id}", who=who, now=now)
    return record.label


def _user() -> str:
    """Name of the process's user; its number where a container has none for it, as under a platform's own user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return str(os.getuid())
