"""What a simulation writes down, month by month."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from ml.evaluation.metrics import Metric


class Strategies(BaseModel):
    """One number a strategy: the metric of a month, or a count. None where there is nothing to measure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    triggered: float | None = Field(description="retrain when the trigger says so, promote when the gate does")
    monthly: float | None = Field(description="retrain every month and always use the newest")
    never: float | None = Field(description="keep the first model")
    naive: float | None = Field(default=None, description="the gate's naive feature as it is, without any model")


class MonthOutcome(BaseModel):
    """What one month brought. Written last: a month with this file is done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    month: str
    rows: int
    champion: int
    metric: Strategies
    alarms: tuple[str, ...]
    action: str
    reasons: tuple[str, ...]
    trained: str | None = Field(default=None, description="key of the triggered training")
    gate: str | None = None
    gate_reasons: tuple[str, ...] = ()
    seconds: float
    memory_mb: float = Field(description="peak resident memory of the process so far")


class Simulation(BaseModel):
    """Every month of a replay and the totals of its three strategies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    metric: Metric
    unit: str
    first_months: tuple[str, ...]
    months: tuple[MonthOutcome, ...]
    folder: Path
    training_seconds: Strategies

    @property
    def start(self) -> str:
        """What the first model had seen, which decides how much retraining can gain."""
        whole = len({month[5:] for month in self.first_months}) == 12
        return "The first model has seen a whole year" if whole else "A cold start: the first model lacks seasons"

    @property
    def triggered_trainings(self) -> int:
        """Number of months in which the trigger started a training."""
        return sum(month.trained is not None for month in self.months)

    @property
    def promotions(self) -> int:
        """How often the gate let a challenger in."""
        return sum(month.gate == "promote" for month in self.months)

    def mean(self) -> Strategies:
        """The metric's mean over the months that every strategy was measured in; None where one did not run."""
        measured = [dict(month.metric) for month in self.months]
        ran = [name for name in Strategies.model_fields if any(month[name] is not None for month in measured)]
        whole = [month for month in measured if all(month[name] is not None for name in ran)]
        means = {name: _mean([month[name] for month in whole]) for name in ran if whole}
        return Strategies(**{name: means.get(name) for name in Strategies.model_fields})

    def against(self, other: float | None) -> float | None:
        """The triggered strategy's error over another's, as a share: 0.02 is two per cent more error."""
        ours = self.mean().triggered
        if ours is None or not other:
            return None
        return self.metric.error(ours) / self.metric.error(other) - 1


def _mean(values: list[float | None]) -> float:
    return sum(value for value in values if value is not None) / len(values)
