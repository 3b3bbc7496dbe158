"""One month under one champion: everything that is compared, as one verdict. Pure: no files, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ml.datasets.months import Month
from ml.models import ModelConfig
from ml.monitoring.drift import Floats
from ml.monitoring.harm import harm_of
from ml.monitoring.measures import ERROR_INCREASE
from ml.monitoring.model_error import MonthError, month_error
from ml.monitoring.paired_loss import paired_loss
from ml.monitoring.quality import quality_findings, schema_findings, volume_finding
from ml.monitoring.shapes import shapes
from ml.monitoring.shift import Predict, feature_findings, importances, prediction_findings
from ml.monitoring.verdict import Finding, Kind, MonthVerdict, Severity


@dataclass(frozen=True)
class Champion:
    """The monitored model and what it was made from: what a month is compared with."""

    version: int
    predict: Predict
    reference: pd.DataFrame = field(repr=False)
    """A sample of its training rows: features and `prediction`, its own answer to each."""
    gate_metric: float
    """What its gate measured on held-out rows, in the gate's metric."""
    months: tuple[Month, ...]
    """It was trained on."""
    training_rows: int
    importance: dict[str, float]
    worst_ratio: float | None = None
    """Its loss over the naive feature's on the rows of its gate, at the unlucky end of the interval."""

    @property
    def rows_a_month(self) -> float:
        """Of its training months, on average."""
        return self.training_rows / max(len(self.months), 1)

    def knows_season(self, month: Month) -> bool:
        """Was the same month of any year among its training months?"""
        return any(known.month == month.month for known in self.months)


def champion_of(
    config: ModelConfig,
    version: int,
    predict: Predict,
    reference: pd.DataFrame,
    *,
    gate_metric: float,
    months: Iterable[Month],
    training_rows: int,
    worst_ratio: float | None = None,
) -> Champion:
    """With what only has to be computed once for a version: what it looks at."""
    importance = importances(predict, reference, config.features.names, config.training.seed)
    return Champion(version, predict, reference, gate_metric, tuple(months), training_rows, importance, worst_ratio)


def monitor_month(config: ModelConfig, champion: Champion, month: Month, current: pd.DataFrame) -> MonthVerdict:
    """Compare `current`, the month's feature table, with the champion's reference.

    When training on the month cannot work (no rows, a missing column), that is all the verdict says.
    """
    blocked = tuple(schema_findings(config, current))
    target = _target(current)
    known = {
        "model": config.name,
        "month": str(month),
        "version": champion.version,
        "rows": len(current),
        "labelled_rows": int(np.isfinite(target).sum()),
        "metric": str(config.gate.metric),
        "gate_error": config.gate.metric.error(champion.gate_metric),
    }
    if blocked:
        return MonthVerdict.model_validate({**known, "findings": blocked})
    predictions = champion.predict(current)
    days = current["day_number"].to_numpy(dtype=np.int64)
    error = month_error(config.gate.metric, target, predictions, days, config.training.seed)
    findings = tuple(_findings(config, champion, month, current, predictions, error, bool(np.isfinite(target).any())))
    measured = {"error": error.value, "error_low": error.low, "error_high": error.high} if error else {}
    seen = tuple(shapes(config, champion.reference, current, predictions))
    return MonthVerdict.model_validate({**known, **measured, "findings": findings, "shapes": seen})


def _findings(
    config: ModelConfig,
    champion: Champion,
    month: Month,
    current: pd.DataFrame,
    predictions: Floats,
    error: MonthError | None,
    labelled: bool,
) -> Iterator[Finding]:
    yield volume_finding(len(current), champion.rows_a_month)
    usual = config.gate.metric.error(champion.gate_metric)
    harm = harm_of(config, champion.predict, champion.reference, current, usual)
    yield from quality_findings(config, champion.reference, current, harm)
    yield from feature_findings(
        config,
        champion.reference,
        current,
        champion.importance,
        season_known=champion.knows_season(month),
        harm=harm,
    )
    yield from prediction_findings(config, champion.reference["prediction"].to_numpy(dtype=np.float64), predictions)
    yield error_finding(config, champion.gate_metric, error, labelled)
    yield from paired_finding(config, champion.worst_ratio, current, predictions)


def paired_finding(
    config: ModelConfig, worst_ratio: float | None, current: pd.DataFrame, predictions: Floats
) -> Iterator[Finding]:
    """An alarm when the champion has lost against the naive feature on the same days; nothing without one."""
    name = config.gate.naive_feature
    if worst_ratio is None or name is None or name not in current.columns:
        return
    naive = current[name].to_numpy(dtype=np.float64, na_value=np.nan)
    days = current["day_number"].to_numpy(dtype=np.int64)
    found = paired_loss(config.gate.metric, _target(current), predictions, naive, days, worst_ratio)
    if found is None:
        return
    seen = f"since day {found.day} beyond chance" if found.above else "within chance"
    yield Finding(
        kind=Kind.ERROR,
        subject=str(config.gate.metric),
        measure="over_naive",
        value=found.ratio,
        limit=found.limit,
        severity=Severity.ALARM if found.above else Severity.INFO,
        reason=f"{found.ratio:.3f} of the error of {name} on the same days, its gate at most {found.limit:.3f}: {seen}",
    )


def error_finding(config: ModelConfig, gate_metric: float, error: MonthError | None, labelled: bool) -> Finding:
    """An alarm when the whole interval lies above the gate's error and the increase the model allows."""
    usual = config.gate.metric.error(gate_metric)
    limit = usual * (1 + config.drift.threshold(ERROR_INCREASE))
    if error is None:
        reason = "the labels are of one class only" if labelled else "no labels yet"
        severity = Severity.WARNING if labelled else Severity.INFO
    else:
        severity = Severity.ALARM if error.low > limit else Severity.INFO
        span = f"{error.low:.3f} to {error.high:.3f}" if np.isfinite(error.low) else f"{error.days} days are too few"
        reason = f"{error.value:.3f} ({span}), its gate measured {usual:.3f}, limit {limit:.3f}"
    return Finding(
        kind=Kind.ERROR,
        subject=str(config.gate.metric),
        measure=ERROR_INCREASE.name,
        value=error.value if error else None,
        limit=limit,
        severity=severity,
        reason=reason,
    )


def _target(current: pd.DataFrame) -> Floats:
    if "target" not in current.columns:
        return np.full(len(current), np.nan)
    return pd.to_numeric(current["target"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
