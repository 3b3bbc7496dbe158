"""A month's features as small pictures: reference against current, and the measure over the months."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fonderie.core.page import Section, paragraph, verdict
from ml.monitoring.verdict import Finding, Kind, MonthVerdict, Severity, Shape
from ml.reports.small_charts import distributions, shares, trend

MOST_MONTHS = 24
MEASURED = (Kind.FEATURE, Kind.PREDICTION)


def features_section(seen: MonthVerdict, history: Sequence[MonthVerdict]) -> Section:
    """What has moved comes first and is open; what has not can be unfolded."""
    known = {shape.subject: shape for shape in seen.shapes}
    measured = sorted((f for f in seen.findings if f.kind in MEASURED), key=_loudness)
    months = _months(seen, history)
    drawn = [(f, _feature(f, known.get(f.subject), months)) for f in measured]
    loud = [html for f, html in drawn if share_of_limit(f) >= 1]
    quiet = [html for f, html in drawn if share_of_limit(f) < 1]
    said = (
        "Left: the reference's distribution filled (or as bars), the month's as a line (or as ticks). "
        "Right: the measure over the months, its limit dashed, a filled point at or beyond it; "
        "an upright line stands where another champion, and so another reference, begins."
    )
    html = paragraph(said) + _grid(loud or [paragraph("No feature is beyond its limit.")])
    if quiet:
        folded = Markup("<details><summary>{} within their limits</summary>{}</details>")
        html += folded.format(len(quiet), _grid(quiet))
    return Section("Feature by feature", html)


def _loudness(finding: Finding) -> tuple[bool, float]:
    """Alarms first, then by how far beyond the limit."""
    return finding.severity is not Severity.ALARM, -share_of_limit(finding)


def share_of_limit(finding: Finding) -> float:
    """1 is the limit."""
    return (finding.value or 0.0) / finding.limit if finding.limit else 0.0


def _months(seen: MonthVerdict, history: Sequence[MonthVerdict]) -> list[MonthVerdict]:
    """One verdict a month up to this one: under the champion of this page where it was monitored, else the latest."""
    chosen: dict[str, MonthVerdict] = {}
    for each in sorted(history, key=lambda verdict: (verdict.version == seen.version, verdict.version)):
        if each.month < seen.month:
            chosen[each.month] = each
    before = [chosen[month] for month in sorted(chosen)]
    return [*before[-MOST_MONTHS + 1 :], seen]


def _feature(finding: Finding, shape: Shape | None, months: Sequence[MonthVerdict]) -> Markup:
    sign = verdict(finding.severity is not Severity.ALARM, str(finding.severity))
    pictures = [_distribution(shape, months[-1].month)] if shape else []
    pictures.append(_trend(finding, months))
    return Markup('<div class="feature"><h3>{} {}</h3><p>{}</p><div class="pair">{}</div></div>').format(
        finding.subject, sign, finding.reason, Markup("").join(pictures)
    )


def _distribution(shape: Shape, month: str) -> Markup:
    says = f"{month} over the reference"
    if shape.names:
        rest = f"and {shape.others} more, {100 * (1 - sum(shape.current)):.0f} %" if shape.others else ""
        return shares(says, shape.names, shape.reference, shape.current, rest=rest)
    return distributions(says, shape.edges, shape.reference, shape.current)


def _trend(finding: Finding, months: Sequence[MonthVerdict]) -> Markup:
    same = [next((f for f in each.findings if f.name == finding.name), None) for each in months]
    return trend(
        f"{finding.measure.replace('_', '-')} by month",
        [each.month for each in months],
        [f.value if f else None for f in same],
        [f.limit if f else None for f in same],
        [place for place in range(1, len(months)) if months[place].version != months[place - 1].version],
    )


def _grid(parts: Sequence[Markup]) -> Markup:
    return Markup('<div class="features">{}</div>').format(Markup("").join(parts))
