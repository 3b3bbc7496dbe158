"""A month's verdict and the decision on it as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fonderie.core.page import Cell, Section, facts, page, paragraph, table, verdict
from ml.monitoring.pictures import MEASURED, features_section, share_of_limit
from ml.monitoring.trigger import Action, TriggerDecision
from ml.monitoring.verdict import Finding, Kind, MonthVerdict, Severity
from ml.reports.charts import Bar, Line, bars, lines

SIGNS = {Severity.INFO: True, Severity.WARNING: True, Severity.ALARM: False, Severity.BLOCKED: False}


def monitoring_page(seen: MonthVerdict, decision: TriggerDecision, history: Sequence[MonthVerdict]) -> str:
    """What was decided by which rule, what moved by how much of its limit, the error over the months, each feature."""
    sections = [_decision(seen, decision), _drift(seen), _error(seen, history)]
    if any(finding.kind in MEASURED for finding in seen.findings):
        sections.append(features_section(seen, history))
    sections.append(_findings(seen))
    lead = f"{seen.model} v{seen.version:03d} in {seen.month}: {len(seen.alarms)} alarms, {decision.action}."
    return page(f"Monitoring of {seen.model}, {seen.month}", sections, lead=lead)


def _decision(seen: MonthVerdict, decision: TriggerDecision) -> Section:
    said = verdict(decision.action is not Action.INVESTIGATE, str(decision.action))
    why = table("Why", ("reason",), [(reason,) for reason in decision.reasons])
    rows: list[Sequence[Cell]] = [
        (rule.name, rule.value, rule.limit, verdict(rule.holds, "holds" if rule.holds else "does not hold"))
        for rule in decision.rules
    ]
    rules = table("All must hold for a retraining", ("rule", "value", "needs", ""), rows)
    pairs: list[tuple[str, Cell]] = [
        ("decided", decision.day.isoformat()),
        ("rows", seen.rows),
        ("with a label", seen.labelled_rows),
    ]
    return Section("Train again?", Markup("<p>{}</p>").format(said) + facts(pairs) + why + rules)


def _drift(seen: MonthVerdict) -> Section:
    """Every measure as a share of its limit: one scale for all of them."""
    measured = [f for f in seen.findings if f.kind in MEASURED]
    seasonal = [f for f in measured if "seasonal" in f.reason]
    data = [
        _share(finding) for finding in sorted(measured, key=lambda f: -share_of_limit(f)) if finding not in seasonal
    ]
    quiet = [_share(finding) for finding in sorted(seasonal, key=lambda f: -share_of_limit(f))]
    text = "1 is the limit: beyond it, the distribution has moved more than the model's file allows for this feature."
    charts = [bars("Drift, as a share of its limit", "", data)]
    if quiet:
        charts.append(bars("Declared seasonal: measured, no reason to train", "", quiet))
    return Section("What moved", paragraph(text) + Markup("").join(charts))


def _share(finding: Finding) -> Bar:
    return Bar(finding.subject, share_of_limit(finding), other=1.0)


def _error(seen: MonthVerdict, history: Sequence[MonthVerdict]) -> Section:
    months = {each.month: each for each in history if each.version == seen.version} | {seen.month: seen}
    series = [months[month] for month in sorted(months)]
    data = [
        Line("in the month", [each.error for each in series]),
        Line("at its gate", [each.gate_error for each in series]),
    ]
    finding = next((f for f in seen.findings if f.kind is Kind.ERROR), None)
    said = paragraph(finding.reason if finding else "nothing was measured")
    return Section("Error", said + lines(f"{seen.metric} as an error", "", sorted(months), data))


def _findings(seen: MonthVerdict) -> Section:
    order = [Severity.BLOCKED, Severity.ALARM, Severity.WARNING, Severity.INFO]
    found = sorted(seen.findings, key=lambda f: (order.index(f.severity), f.kind, -share_of_limit(f)))
    rows: list[Sequence[Cell]] = [
        (verdict(SIGNS[f.severity], str(f.severity)), str(f.kind), f.subject, f.measure, f.value, f.limit, f.reason)
        for f in found
    ]
    marked = [place for place, f in enumerate(found) if not SIGNS[f.severity]]
    head = ("", "about", "subject", "measure", "value", "limit", "says")
    return Section("Everything that was compared", table(f"{len(found)} comparisons", head, rows, marked=marked))
