"""A training run as a page: the decision and its checks, how good the model is and where, its data and lineage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from fonderie.core.page import Cell, Section, facts, number, page, paragraph, table, verdict
from ml.datasets.parquet import read_parquet
from ml.evaluation.decision import Check, Decision, Outcome, Verdict
from ml.evaluation.relative_checks import percent
from ml.evaluation.scores import Evaluation
from ml.models import ModelConfig, TaskKind
from ml.registry import Registry
from ml.registry.lineage import Contracts, Lineage, RunFiles
from ml.reports.charts import Bar, Line, bars, heat, lines


def run_page(config: ModelConfig, registry: Registry, *, run_id: str, version: str, files: RunFiles) -> str:
    """The whole page of one run."""
    decision = Decision.model_validate_json(files.decision.read_text())
    promoted = decision.outcome is Outcome.PROMOTE
    sections = run_sections(config, files)
    sections.append(versions_section(registry))
    lead = f"{version} is the new champion." if promoted else "The champion stays: " + "; ".join(decision.reasons)
    return page(f"{config.name}, run {run_id}", sections, lead=lead)


def run_sections(config: ModelConfig, files: RunFiles) -> list[Section]:
    """The parts of one run; a page of several runs shows them for the one it is about."""
    evaluation = Evaluation.model_validate_json(files.evaluation.read_text())
    return [
        decision_section(Decision.model_validate_json(files.decision.read_text())),
        performance_section(config, evaluation, files),
        importance_section(evaluation),
        data_section(Contracts.model_validate_json(files.contracts.read_text())),
        lineage_section(config, Lineage.model_validate_json(files.lineage.read_text()), evaluation),
    ]


def decision_section(decision: Decision) -> Section:
    """The gate's checks with their values and limits; what passed is folded away."""
    head = ("check", "challenger", "other", "gain", "interval", "limit", "verdict", "reason")
    failed = [check for check in decision.checks if check.verdict is Verdict.FAILED]
    held = [check for check in decision.checks if check.verdict is not Verdict.FAILED]
    word = verdict(decision.outcome is Outcome.PROMOTE, str(decision.outcome))
    body = Markup("<p>{}</p>").format(word) + paragraph("; ".join(decision.reasons))
    if failed:
        body += table("What kept it out", head, [_line(check) for check in failed])
    folded = table("What held, or could not be asked without a champion", head, [_line(check) for check in held])
    body += Markup("<details><summary>{} checks held</summary>{}</details>").format(len(held), folded)
    return Section("The gate", body)


def _line(check: Check) -> Sequence[Cell]:
    shares = check.gain is not None
    limit = percent(check.limit) if shares and isinstance(check.limit, float) else _value(check.limit)
    known = check.low is not None and check.high is not None
    return (
        check.name,
        _value(check.challenger),
        _value(check.champion),
        percent(check.gain) if check.gain is not None else None,
        f"{percent(check.low)} to {percent(check.high)}" if known else None,
        limit,
        _said(check),
        check.reason,
    )


def performance_section(config: ModelConfig, evaluation: Evaluation, files: RunFiles) -> Section:
    """The metric overall and by slice, with intervals, and predicted against actual."""
    ours, theirs = evaluation.challenger, evaluation.champion
    by_slice = theirs.of_slices() if theirs else {}
    data = [Bar("all rows", _nan(ours.metric), *_ends(ours), _nan(theirs.metric) if theirs else None)]
    for each in ours.slices:
        other = by_slice.get((each.dimension, each.value))
        data.append(Bar(each.name, _nan(each.metric), *_ends(each), other.metric if other else None))
    legend = ("challenger, with 95 % interval", "champion" if theirs else "")
    chart = bars(f"{evaluation.metric} by slice", evaluation.unit, data, legend=legend)
    head = ("slice", "rows", "challenger", "low", "high", "champion")
    rows: list[Sequence[Cell]] = [("all rows", ours.rows, ours.metric, *_ends(ours), theirs.metric if theirs else None)]
    for each in ours.slices:
        other = by_slice.get((each.dimension, each.value))
        rows.append((each.name, each.rows, each.metric, *_ends(each), other.metric if other else None))
    caption = f"{evaluation.metric} on {ours.rows:,} held-out rows of {evaluation.month}, from {ours.holdout_from}"
    picture = _picture(config, evaluation, files)
    return Section("How good it is, and where", picture + chart + table(caption, head, rows, marked=(0,)))


def importance_section(evaluation: Evaluation) -> Section:
    """What happens to the metric when a feature is shuffled."""
    data = [
        Bar(each.feature, each.mean, each.mean - each.spread, each.mean + each.spread) for each in evaluation.importance
    ]
    said = "How much worse the metric gets when one feature's values are shuffled among the held-out rows."
    return Section("What it looks at", paragraph(said) + bars("Permutation importance", evaluation.unit, data))


def data_section(contracts: Contracts) -> Section:
    """Table of quarantined rows by contract and reason."""
    rows: list[Sequence[Cell]] = [
        (f"{each.dataset} {each.partition}", each.rows, each.quarantined, _reasons(each.reasons), each.source_hash[:12])
        for each in contracts.partitions
    ]
    total = sum(each.quarantined for each in contracts.partitions)
    caption = f"{total:,} of {sum(each.rows for each in contracts.partitions):,} rows in quarantine"
    return Section("Data", table(caption, ("partition", "rows", "quarantined", "reasons", "SHA-256"), rows))


def lineage_section(config: ModelConfig, lineage: Lineage, evaluation: Evaluation) -> Section:
    """What the challenger is made of."""
    pairs: list[tuple[str, Cell]] = [
        ("model", f"{config.name}: {config.description}"),
        ("training months", ", ".join(lineage.training_months)),
        ("rows", f"{lineage.training_rows:,} until {lineage.trained_until}, {lineage.holdout_rows:,} held out"),
        ("seed", str(config.training.seed)),
        *((name, str(value)) for name, value in dict(config.training.hyperparameters).items()),
        ("model SHA-256", _code(evaluation.challenger.model_hash)),
        ("data", _code(lineage.data_hash)),
        ("features", _code(lineage.feature_hash)),
        ("configuration", _code(lineage.config_hash)),
        ("held-out rows", _code(lineage.holdout_hash)),
    ]
    return Section("Lineage", facts(pairs))


def versions_section(registry: Registry, *, chart: bool = True) -> Section:
    """Every version of the model, and the error of each on the month it was made in."""
    records, aliases = registry.list(), registry.aliases()
    names: dict[int, list[str]] = {}
    for alias, target in aliases.current.items():
        names.setdefault(target, []).append(alias)
    rows: list[Sequence[Cell]] = [
        (
            r.label,
            r.month,
            r.metrics.metric,
            *_ends(r.metrics),
            ", ".join(names.get(r.version, [])),
            r.run_id,
            r.commit[:12],
        )
        for r in records
    ]
    marked = [place for place, record in enumerate(records) if record.version == aliases.champion]
    head = ("version", "month", "metric", "low", "high", "alias", "run", "commit")
    shown = table("Every version; each metric is on the held-out days of its own month", head, rows, marked=marked)
    if chart and len(records) > 1:
        line = Line("at its promotion", [record.metrics.metric for record in records])
        title = f"{records[-1].metrics.name} by month of promotion"
        shown = lines(title, "", [record.month for record in records], [line]) + shown
    return Section("Versions", shown)


def _picture(config: ModelConfig, evaluation: Evaluation, files: RunFiles) -> Markup:
    rows = read_parquet(files.predictions)
    actual, predicted = rows["actual"].to_numpy(), rows["challenger"].to_numpy()
    if config.task is TaskKind.REGRESSION:
        return heat(f"Predicted against actual {config.target.column}", evaluation.unit, actual, predicted)
    order = np.argsort(predicted, kind="stable")
    tenths = [part for part in np.array_split(order, 10) if len(part)]
    data = [
        Bar(
            f"predicted {number(float(predicted[part].mean()), 2)}",
            float(actual[part].mean()),
            other=float(predicted[part].mean()),
        )
        for part in tenths
    ]
    return bars("Share of positives in each tenth of the predictions", "", data, legend=("actual", "predicted"))


def _said(check: Check) -> Markup | str:
    if check.verdict is Verdict.NOT_APPLICABLE:
        return "no champion yet"
    return verdict(check.verdict is Verdict.PASSED, str(check.verdict))


def _value(value: float | int | str | None) -> Cell:
    """Hashes are cut to twelve digits."""
    return value[:12] if isinstance(value, str) and len(value) == 64 else value


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _ends(side: object) -> tuple[float | None, float | None]:
    found = getattr(side, "interval", None)
    return (found.low, found.high) if found else (None, None)


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _reasons(reasons: dict[str, int]) -> str:
    return ", ".join(f"{reason}: {count}" for reason, count in reasons.items())
