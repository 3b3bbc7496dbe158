"""Gate and promotion of a challenger in this process, by the steps of the training pipeline."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from ml.evaluation.decision import Decision, Outcome
from ml.models import ModelConfig
from ml.registry import Alias, open_registry
from pipelines.compile import code_version
from pipelines.training import steps
from pipelines.training.challengers import Trained


def judge_and_promote(config: ModelConfig, trained: Trained, registry: str, folder: Path, *, run_id: str) -> Decision:
    """Score against the champion, ask the gate, promote if it lets the challenger in; `folder` keeps what was said.

    Run again after a kill, the gate's answer in `folder` stands: a challenger that was promoted already would be
    compared with itself.
    """
    text = config.model_dump_json()
    decision = folder / "decision.json"
    said = _read(decision)
    if said is None:
        steps.evaluate(text, registry, str(trained.challenger), str(trained.holdout), str(trained.lineage), str(folder))
        steps.gate(text, registry, str(folder), str(trained.lineage), str(decision))
        said = Decision.model_validate_json(decision.read_bytes())
    if said.outcome is Outcome.PROMOTE and not _was_promoted(config.name, registry, run_id):
        made = steps.made(str(trained.challenger), str(trained.lineage), str(folder), str(decision))
        steps.promote(text, registry, steps.origin(run_id, "unknown", code_version()), made)
    return said


def _was_promoted(model: str, registry: str, run_id: str) -> bool:
    """Did this run's version become champion before, whatever has replaced it since?"""
    versions = open_registry(model, registry)
    numbers = {record.version for record in versions.list() if record.run_id == run_id}
    return any(move.alias is Alias.CHAMPION and move.after in numbers for move in versions.aliases().moves)


def _read(path: Path) -> Decision | None:
    try:
        return Decision.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
