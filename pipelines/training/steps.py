"""What the components do: read artefacts, call `ml`, write artefacts. Each step imports what it needs itself.

An import is a good part of a task's time: only train and evaluate pay for scikit-learn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadDataError
from fonderie.core.files import write_text
from ml.datasets.months import Calendar, Month
from ml.models import ModelConfig
from ml.registry.lineage import ContractCounts, Contracts, Lineage, Made, Partitions, RunFiles, RunOrigin

LATEST = "latest"  # a schedule can't name a month
EVALUATION, PREDICTIONS = "evaluation.json", "predictions.parquet"


def read_config(text: str) -> ModelConfig:
    """The model's configuration as the spec carries it."""
    return ModelConfig.model_validate_json(text)


def extract(config: str, month: str, data: str, out: str) -> None:
    """Write Partitions: the month and those before it, as many as the model's window and the data allow."""
    from ml.datasets.origins import open_origin

    model, origin = read_config(config), open_origin(data)
    last = latest_month(origin) if month == LATEST else Month.parse(month)
    months = tuple(str(each) for each in origin.latest(last, model.training.window_months))
    _write(out, Partitions(model=model.name, month=str(last), months=months, data=data).model_dump_json(indent=1))


def latest_month(origin: Calendar) -> Month:
    """The newest month with flights. Raises BadDataError: there is none."""
    if months := origin.months():
        return months[-1]
    raise BadDataError("no month has flights yet", where=LATEST, hint="see docs/data.md: bring months")


def validate(config: str, partitions: str, out: str) -> None:
    """Write Contracts: counts and reasons of what is quarantined. Raises BadDataError above the model's limit."""
    from ml.datasets.contracts import CheckedFile
    from ml.datasets.origins import open_origin
    from ml.features.tables import with_history

    model, (months, data) = read_config(config), _partitions(partitions)
    origin = open_origin(data)
    reports = origin.check(model, with_history(months, origin))
    found = tuple(
        ContractCounts(
            dataset=str(report.dataset),
            partition=report.partition,
            rows=report.rows,
            quarantined=report.quarantined,
            reasons=report.reasons,
            source_hash=report.source_hash,
            quarantine=str(report.quarantine) if isinstance(report, CheckedFile) and report.quarantine else None,
        )
        for report in reports
    )
    _write(out, Contracts(partitions=found).model_dump_json(indent=1))


def features(
    config: str, partitions: str, training_out: str, holdout_out: str, lineage_out: str, registry: str | None = None
) -> None:
    """Write the rows to train on, the rows held out, and their Lineage.

    With a registry the held-out rows have the features of its champion too.
    """
    from ml.datasets.origins import open_origin
    from ml.datasets.parquet import content_hash, write_parquet
    from ml.evaluation.holdout import split, with_features
    from ml.registry import open_registry

    model, (months, data) = read_config(config), _partitions(partitions)
    origin = open_origin(data)
    built = origin.build(model, months)
    cut = split(built.table(), months[-1], model.data.holdout_fraction)
    both = model if registry is None else with_features(model, open_registry(model.name, registry))
    held = cut.holdout
    if both != model:
        held = split(origin.build(both, months[-1:]).table(), months[-1], model.data.holdout_fraction).holdout
    write_parquet(cut.training, Path(training_out))
    write_parquet(held, Path(holdout_out))
    lineage = Lineage(
        model=model.name,
        month=str(months[-1]),
        training_months=tuple(map(str, months)),
        training_rows=len(cut.training),
        holdout_rows=len(held),
        trained_until=cut.trained_until.isoformat(),
        holdout_from=cut.holdout_from.isoformat(),
        data_hash=built.data_hash,
        feature_hash=built.feature_hash,
        config_hash=hashlib.sha256(config.encode()).hexdigest(),
        training_hash=content_hash(Path(training_out)),
        holdout_hash=content_hash(Path(holdout_out)),
    )
    _write(lineage_out, lineage.model_dump_json(indent=1))


def train(config: str, training: str, challenger_out: str) -> None:
    """Write the challenger's folder (see ml.training.artefact)."""
    from ml.datasets.parquet import read_parquet
    from ml.training import artefact
    from ml.training.fit import fit

    model, rows = read_config(config), read_parquet(Path(training))
    promotion_files = artefact.save(model, fit(model, rows), rows, Path(challenger_out))
    print(f"trained on {promotion_files.rows} rows, model {promotion_files.model_hash[:12]}")


def evaluate(config: str, registry: str, challenger: str, holdout: str, lineage: str, out: str) -> None:
    """Write the Evaluation of challenger and champion, and a sample of their predictions."""
    from ml.datasets.parquet import write_parquet
    from ml.evaluation.comparison import compare
    from ml.registry import open_registry

    model = read_config(config)
    versions = open_registry(model.name, registry)
    promotion_files, sample = compare(model, versions, Path(challenger), Path(holdout), _lineage(lineage))
    write_parquet(sample, Path(out) / PREDICTIONS)
    write_text(Path(out) / EVALUATION, promotion_files.model_dump_json(indent=1))


def gate(config: str, registry: str, evaluation: str, lineage: str, out: str) -> str:
    """Write the Decision and return its outcome. Whatever cannot be read or compared means `keep`."""
    from ml.evaluation.gate import decide_evaluation
    from ml.registry import open_registry

    model = read_config(config)
    versions = open_registry(model.name, registry)
    number = versions.aliases().champion
    known = None if number is None else versions.get(number).record.model_hash
    path = Path(evaluation) / EVALUATION
    text = path.read_text() if path.exists() else None
    decision = decide_evaluation(text, model.gate, holdout_hash=_lineage(lineage).holdout_hash, champion_hash=known)
    _write(out, decision.model_dump_json(indent=1))
    print(f"{decision.outcome}: {'; '.join(decision.reasons)}")
    return str(decision.outcome)


def promotion_files(challenger: str, lineage: str, evaluation: str, decision: str) -> Made:
    """Paths of what the tasks before promote made."""
    return Made(Path(challenger), Path(lineage), Path(evaluation) / EVALUATION, Path(decision))


def origin(run_id: str, commit: str, code_version: str) -> RunOrigin:
    """The run, commit and code version that a version of the model is made by."""
    return RunOrigin(run_id, commit, code_version)


def promote(config: str, registry: str, by: RunOrigin, files: Made) -> str:
    """Register the challenger and make it champion in place of the one it was compared with; its label.

    Raises ConflictError when another champion was promoted in between: there is a new challenger then, and no more.
    """
    from ml.registry import open_registry
    from ml.registry.candidates import candidate_of, register_and_promote

    model = read_config(config)
    candidate, replaced = candidate_of(model, by, files)
    return register_and_promote(open_registry(model.name, registry), candidate, files.challenger, replaced)


def keep(decision: str) -> str:
    """Print why the champion stays."""
    from ml.evaluation.decision import Decision

    print("\n".join(Decision.model_validate_json(Path(decision).read_text()).reasons))
    return "kept"


def report_files(contracts: str, lineage: str, evaluation: str, decision: str) -> RunFiles:
    """Paths of what the report shows."""
    folder = Path(evaluation)
    return RunFiles(Path(contracts), Path(lineage), folder / EVALUATION, folder / PREDICTIONS, Path(decision))


def report(config: str, registry: str, run_id: str, version: str, files: RunFiles, out: str) -> None:
    """Write the run as one HTML page."""
    from ml.registry import open_registry
    from ml.reports.training_run import run_page

    model = read_config(config)
    _write(out, run_page(model, open_registry(model.name, registry), run_id=run_id, version=version, files=files))


def conclude(run_id: str, state: str, problem: str | None, events: str) -> None:
    """Tell how the run ended: one JSON line, and an entry of the log `events`, if there is one."""
    severity = "ERROR" if state == "FAILED" else "NOTICE"
    event = {
        "event": "run-finished",
        "severity": severity,
        "run_id": run_id,
        "state": state,
        "problem": problem or None,
    }
    tell([event], events)


def tell(told: Sequence[Mapping[str, Any]], events: str) -> None:
    """Print each event as a JSON line; write them into the log `events` as well, if there is one."""
    for event in told:
        print(json.dumps(event))
    if events and told:
        from fonderie.google.event_log import write_events

        write_events(events, told, datetime.now(UTC))


def _partitions(path: str) -> tuple[list[Month], str]:
    """The months of a run, and where they come from."""
    read = Partitions.model_validate_json(Path(path).read_text())
    return [Month.parse(month) for month in read.months], read.data


def _lineage(path: str) -> Lineage:
    return Lineage.model_validate_json(Path(path).read_text())


def _write(out: str, text: str) -> None:
    write_text(Path(out), text + "\n")
