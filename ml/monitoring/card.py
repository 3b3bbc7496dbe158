"""A version's model card: what it is for, what it was made from, how good it is and where, what has moved since.

Source: Mitchell et al., "Model Cards for Model Reporting" (2019). One content, two renderings: HTML and Markdown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fonderie.core.page import Section, facts, page, paragraph, table
from ml.evaluation.scores import Score, SliceScore
from ml.features.catalogue import CATALOGUE
from ml.models import ModelConfig
from ml.monitoring.verdict import MonthVerdict
from ml.registry import Aliases, ModelRecord
from ml.reports.charts import Bar, bars

Row = tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """A titled table of the card; `said` comes before it."""

    title: str
    head: Row
    rows: Sequence[Row]
    said: str = ""


def card_parts(
    config: ModelConfig, record: ModelRecord, aliases: Aliases, verdicts: Sequence[MonthVerdict]
) -> list[Part]:
    """The whole card. `verdicts` are of this version."""
    return [
        _purpose(config, record, aliases),
        _inputs(record),
        _quality(record.metrics),
        _gate(record),
        _since(verdicts),
        _lineage(record, aliases),
    ]


def _purpose(config: ModelConfig, record: ModelRecord, aliases: Aliases) -> Part:
    names = [str(alias) for alias, version in aliases.current.items() if version == record.version]
    rows = [
        ("predicts", config.description),
        ("task", f"{record.task} of {record.target}"),
        ("is", ", ".join(names) or "an older version"),
        ("trained on", f"{record.training_rows:,} rows of {record.training_months[0]} to {record.training_months[-1]}"),
        ("not seen in training", f"{record.metrics.rows:,} rows of {record.month} from {record.metrics.holdout_from}"),
        ("not meant for", "airports, carriers or seasons that are not among its training rows: the monitor says which"),
    ]
    return Part("Purpose", ("", ""), rows)


def _inputs(record: ModelRecord) -> Part:
    rows = [
        (column.name, column.kind, CATALOGUE[column.name].description if column.name in CATALOGUE else "")
        for column in record.features
    ]
    return Part("Inputs", ("feature", "kind", "what it is"), rows)


def _quality(score: Score) -> Part:
    rows = [("all rows", f"{score.rows:,}", *_measured(score))]
    rows += [(each.name, f"{each.rows:,}", *_measured(each)) for each in score.slices]
    said = f"{score.name} on rows that it has not seen, with 95 % intervals."
    return Part("How good it is, and where", ("slice", "rows", score.name, "low", "high"), rows, said)


def _measured(score: Score | SliceScore) -> Row:
    ends = (score.interval.low, score.interval.high) if score.interval else (None, None)
    return tuple(_number(value) for value in (score.metric, *ends))


def _gate(record: ModelRecord) -> Part:
    rows = [
        (check.name, str(check.verdict), _said(check.challenger), _said(check.champion), _said(check.limit))
        for check in record.decision.checks
    ]
    said = f"{record.decision.outcome}: {'; '.join(record.decision.reasons)}."
    return Part("Why it was let in", ("check", "verdict", "challenger", "champion", "limit"), rows, said)


def _since(verdicts: Sequence[MonthVerdict]) -> Part:
    rows = [
        (
            each.month,
            f"{each.rows:,}",
            _number(each.error),
            _number(each.error_low),
            _number(each.error_high),
            "; ".join(finding.name for finding in (*each.blocked, *each.alarms)) or "none",
        )
        for each in sorted(verdicts, key=lambda each: each.month)
    ]
    said = "" if rows else "No month has been monitored under this version yet."
    return Part("What has moved since", ("month", "rows", "error", "low", "high", "alarms"), rows, said)


def _lineage(record: ModelRecord, aliases: Aliases) -> Part:
    moves = [
        f"{move.at:%Y-%m-%d %H:%M} {move.alias} by {move.who}: {move.reason}"
        for move in aliases.moves
        if move.after == record.version
    ]
    rows = [
        ("version", record.label),
        ("registered", record.registered_at.isoformat(sep=" ", timespec="minutes")),
        ("run", record.run_id),
        ("commit", record.commit),
        ("code", record.code_version),
        ("data", record.data_hash),
        ("features", record.feature_hash),
        ("configuration", record.config_hash),
        ("model", record.model_hash),
        ("seed", str(record.seed)),
        *((name, str(value)) for name, value in record.parameters.items()),
        *((f"package {name}", version) for name, version in record.packages.items()),
        *(("alias", move) for move in moves),
    ]
    return Part("Lineage", ("", ""), rows)


def card_page(config: ModelConfig, record: ModelRecord, parts: Sequence[Part]) -> str:
    """The card as one HTML page, with the error by slice as a picture."""
    sections = []
    for part in parts:
        body = paragraph(part.said) if part.said else paragraph("")
        if part.title.startswith("How good"):
            body += bars(f"{record.metrics.name} by slice", "", _bars(record.metrics))
        if part.rows:
            body += (
                table(part.title, part.head, part.rows) if any(part.head) else facts([(r[0], r[1]) for r in part.rows])
            )
        sections.append(Section(part.title, body))
    return page(f"Model card: {config.name} {record.label}", sections, lead=config.description)


def _bars(score: Score) -> list[Bar]:
    sides: list[tuple[str, Score | SliceScore]] = [("all rows", score), *((each.name, each) for each in score.slices)]
    return [
        Bar(
            name,
            side.metric if side.metric is not None else float("nan"),
            side.interval.low if side.interval else None,
            side.interval.high if side.interval else None,
        )
        for name, side in sides
    ]


def card_markdown(config: ModelConfig, record: ModelRecord, parts: Sequence[Part]) -> str:
    """The card as Markdown."""
    text = [f"# Model card: {config.name} {record.label}", "", config.description]
    for part in parts:
        text += ["", f"## {part.title}", ""]
        if part.said:
            text += [part.said, ""]
        if part.rows:
            text += [_line(part.head), _line(["---"] * len(part.head)), *map(_line, part.rows)]
    return "\n".join(text) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _said(value: float | int | str | None) -> str:
    return _number(value) if isinstance(value, float) else "–" if value is None else str(value)
