"""What the monitor found in one month: the record that the trigger reads and the report draws."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from ml.records import Record


class Kind(StrEnum):
    """What a finding compares."""

    SCHEMA = "schema"  # columns and types
    QUALITY = "quality"  # nulls, constants, spikes, values never seen, rows refused by their contract
    FEATURE = "feature drift"
    PREDICTION = "prediction drift"
    ERROR = "error"


class Severity(StrEnum):
    """What a finding means for the trigger."""

    INFO = "info"  # measured, within its limit, or declared seasonal
    WARNING = "warning"  # worth a look, no reason to train: nothing is expected to come of it
    ALARM = "alarm"  # a reason to train
    BLOCKED = "blocked"  # training on this month cannot work, or would learn broken data: somebody must look


class Finding(BaseModel):
    """One comparison of the month with the reference."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    kind: Kind
    subject: str = Field(description="a column, 'prediction', a metric, or 'month'")
    measure: str = Field(description="what was measured: 'jensen_shannon', 'null_rate', ...")
    value: float | None = None
    limit: float | None = None
    severity: Severity
    reason: str = Field(default="", description="a sentence, for whoever is woken up by it")

    @property
    def name(self) -> str:
        """`feature drift: carrier jensen_shannon`."""
        return f"{self.kind}: {self.subject} {self.measure}"


class Shape(BaseModel):
    """Shares of a column's values, the reference's beside the month's; nulls and infinities left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str = Field(description="a feature, or 'prediction'")
    names: tuple[str, ...] = Field(default=(), description="the categories that have moved most")
    edges: tuple[float, ...] = Field(
        default=(), description="of numbers: one more than buckets, which hold the tails too"
    )
    reference: tuple[float, ...]
    current: tuple[float, ...]
    others: int = Field(default=0, description="categories that are not among the names")


class MonthVerdict(Record):
    """What monitoring one month under one champion found."""

    model: str
    month: str
    version: int = Field(description="the champion that was monitored")
    rows: int = Field(ge=0, description="usable rows of the month")
    labelled_rows: int = Field(ge=0)
    findings: tuple[Finding, ...] = ()
    shapes: tuple[Shape, ...] = Field(default=(), description="for the page; nothing is decided by them")
    metric: str = ""
    error: float | None = None
    error_low: float | None = Field(default=None, description="lower end of its confidence interval")
    error_high: float | None = None
    gate_error: float | None = Field(default=None, description="what the champion's gate measured")

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Findings of that severity, in order."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """Findings of severity ALARM, in order: reasons to train again."""
        return self.of(Severity.ALARM)

    @property
    def blocked(self) -> tuple[Finding, ...]:
        """Reasons why training on this month cannot work."""
        return self.of(Severity.BLOCKED)
