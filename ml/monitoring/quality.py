"""Schema and quality of a month against the reference: what is wrong with the data itself, in every season.

Feature drift leaves seasonal features alone, so a changed unit or a dead sensor there must be seen here: by nulls, by a
column that says one thing only, by one value that took over, by values where the reference has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ml.models import ModelConfig
from ml.monitoring.columns import CategorySide, NumericSide, category, numeric, spike, unseen_share
from ml.monitoring.harm import HARMFUL, Harm
from ml.monitoring.measures import (
    CATEGORY_DISTANCE,
    FALSE_ALARMS,
    ROWS_AN_HOUR,
    Subject,
    measures_of,
    share_noise,
    unseen_noise,
)
from ml.monitoring.verdict import Finding, Kind, Severity

UNSEEN_VALUES = 0.5  # most of what was measured lies where the reference has nothing: another unit or precision
MIN_UNSEEN_ROWS = 100
SPIKE_SEASONAL = 0.25  # rain or clear skies may well take a quarter more of a month
FEW_CATEGORIES = 50
UNSEEN_FEW = 0.001  # of a column with few categories, such as carriers: they do not come and go
UNSEEN_MANY = 0.01  # of one with many, such as destinations, where some are flown to in summer only
RECODED = 0.5  # most rows have a category that the reference has not: another code, and no new category
INFINITE = 0.001
DUPLICATES = 0.01
ROWS_RATIO = 2.0


def schema_findings(config: ModelConfig, current: pd.DataFrame) -> Iterator[Finding]:
    """Columns that are missing or of another type, and a month without rows: training cannot work."""
    if current.empty:
        yield _blocked("month", "rows", "the month has no rows")
    for name in config.features.names:
        if name not in current.columns:
            yield _blocked(name, "column", f"column {name} is missing; there are {', '.join(current.columns)}")
        elif name in config.features.numeric and _is_text(current[name]):
            yield _blocked(name, "type", f"column {name} holds {current[name].dtype}, not numbers")


def quality_findings(
    config: ModelConfig, reference: pd.DataFrame, current: pd.DataFrame, harm: Harm
) -> Iterator[Finding]:
    """Every quality check of every feature; the columns are there and of the right type.

    What is beyond its limit blocks the training on the month when the error is expected to rise by it: broken data are
    mended, not learned. New categories are a reason to train instead. What does no harm is worth a look.
    """
    for finding in _checked(config, reference, current):
        if finding.severity is not Severity.WARNING or finding.subject == "month":
            yield finding
            continue
        rise = harm(finding.subject)
        severity = _harmful(finding) if rise >= HARMFUL else Severity.WARNING
        reason = f"{finding.reason}, error expected to rise by {rise:.1%}"
        yield finding.model_copy(update={"severity": severity, "reason": reason})


def _harmful(finding: Finding) -> Severity:
    """New categories are life, and training on them is the cure; where most rows have one, the code has changed."""
    new = finding.measure == "unseen_categories" and finding.value is not None and finding.value <= RECODED
    return Severity.ALARM if new else Severity.BLOCKED


def _checked(config: ModelConfig, reference: pd.DataFrame, current: pd.DataFrame) -> Iterator[Finding]:
    tests = 4 * len(config.features.names)
    for name in config.features.numeric:
        yield from _numeric(config, name, numeric(reference[name]), numeric(current[name]), tests)
    for name in config.features.categorical:
        yield from _categorical(config, name, category(reference[name]), category(current[name]), tests)
    from ml.features.queries import KEYS  # brings ibis along

    keys = [key for key in KEYS if key in current.columns]
    if len(keys) == len(KEYS):
        repeated = float(current.duplicated(keys).mean())
        yield _finding("month", "duplicates", repeated, DUPLICATES, "of the rows come a second time")


def volume_finding(rows: int, expected: float) -> Finding:
    """A month much smaller or larger than those of the reference: worth a look, no reason to train."""
    ratio = rows / expected if expected else 1.0
    odd = not 1 / ROWS_RATIO <= ratio <= ROWS_RATIO
    return Finding(
        kind=Kind.QUALITY,
        subject="month",
        measure="rows",
        value=ratio,
        limit=ROWS_RATIO,
        severity=Severity.WARNING if odd else Severity.INFO,
        reason=f"{rows} rows, a month of the reference has {expected:.0f}",
    )


def _numeric(
    config: ModelConfig, name: str, reference: NumericSide, current: NumericSide, tests: int
) -> Iterator[Finding]:
    yield from _measured(config, name, reference, current, tests)
    yield _finding(
        name, "infinite", current.infinite_rate, reference.infinite_rate + INFINITE, "of the values are infinite"
    )
    if not (reference.known.size and current.known.size):
        return
    yield _constant(name, reference, current, tests)
    value, grown = spike(reference, current)
    usual = SPIKE_SEASONAL if name in config.drift.seasonal_features else config.drift.threshold(CATEGORY_DISTANCE)
    noise = share_noise(0.5, reference.known.size, current.known.size, tests)
    yield _finding(name, "spike", grown, max(usual, noise), f"more of the rows say {value:g} than before")
    share, rows = unseen_share(reference, current)
    once = int((reference.distinct[1] == 1).sum())
    noise = unseen_noise(once, reference.known.size, rows, tests) if rows >= MIN_UNSEEN_ROWS else 1.0
    reason = "of the values lie where the reference has none: another unit, precision or code?"
    yield _finding(name, "unseen_values", share, max(UNSEEN_VALUES, noise), reason)


def _categorical(
    config: ModelConfig, name: str, reference: CategorySide, current: CategorySide, tests: int
) -> Iterator[Finding]:
    yield from _measured(config, name, reference, current, tests)
    if not (reference.size and current.size):
        return
    new = {key: count for key, count in current.counts.items() if key not in reference.counts}
    once = sum(count == 1 for count in reference.counts.values())
    usual = UNSEEN_FEW if len(reference.counts) <= FEW_CATEGORIES else UNSEEN_MANY
    noise = unseen_noise(once, reference.size, current.size, tests)
    most = ", ".join(sorted(new, key=lambda key: -new[key])[:5])
    reason = f"of the rows have a {name} the reference has not: {most}"
    yield _finding(name, "unseen_categories", sum(new.values()) / current.size, max(usual, noise), reason)


def _measured(
    config: ModelConfig,
    name: str,
    reference: NumericSide | CategorySide,
    current: NumericSide | CategorySide,
    tests: int,
) -> Iterator[Finding]:
    for measure, compare in measures_of(Subject.COLUMN):
        seen = compare(reference, current, tests)
        yield _finding(name, measure.name, seen.value, max(config.drift.threshold(measure), seen.noise), seen.detail)


def _constant(name: str, reference: NumericSide, current: NumericSide, tests: int) -> Finding:
    """One value only, where the reference has several and chance would not leave just one."""
    only = current.distinct[0].size == 1 and reference.distinct[0].size > 1
    share = reference.mode[1]
    by_chance = share ** (current.known.size / ROWS_AN_HOUR) > FALSE_ALARMS / tests
    reason = f"every row says {current.known[0]:g}"
    return Finding(
        kind=Kind.QUALITY,
        subject=name,
        measure="constant",
        value=float(only),
        limit=1.0,
        severity=Severity.WARNING if only and not by_chance else Severity.INFO,
        reason=reason if only else "",
    )


def _finding(name: str, measure: str, value: float, limit: float, reason: str) -> Finding:
    """A warning when `value` exceeds `limit`."""
    over = not value <= limit
    return Finding(
        kind=Kind.QUALITY,
        subject=name,
        measure=measure,
        value=value,
        limit=limit,
        severity=Severity.WARNING if over else Severity.INFO,
        reason=f"{value:.1%} {reason}" if over else "",
    )


def _blocked(name: str, measure: str, reason: str) -> Finding:
    return Finding(kind=Kind.SCHEMA, subject=name, measure=measure, severity=Severity.BLOCKED, reason=reason)


def _is_text(column: Any) -> bool:
    """Does the column hold anything but numbers? Nulls alone may have any type."""
    return not pd.api.types.is_numeric_dtype(column) and bool(column.notna().any())
