"""What a model scored on held-out rows: what evaluation writes, the gate reads and the registry keeps."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Role(StrEnum):
    """Which side of the comparison a score is for."""

    CHALLENGER = "challenger"
    CHAMPION = "champion"


class Interval(BaseModel):
    """A bootstrap confidence interval, in the metric's unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    low: float
    high: float


class SliceScore(BaseModel):
    """The metric on the held-out rows of one slice, such as `origin=EWR`."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    dimension: str
    value: str
    rows: int
    metric: float | None
    interval: Interval | None = None

    @property
    def name(self) -> str:
        """`origin=EWR`."""
        return f"{self.dimension}={self.value}"


class Score(BaseModel):
    """One model on one holdout. Numbers may be missing or NaN: to decide on that is the gate's work."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    role: Role
    model_hash: str
    holdout_hash: str
    rows: int
    name: str  # of the metric; a string, because a score written by other code may name one that is unknown here
    metric: float | None
    interval: Interval | None = None
    slices: tuple[SliceScore, ...] = ()
    others: dict[str, float] = {}  # further measures, for the report only
    trained_until: str | None = None  # last day of the training rows, ISO
    holdout_from: str | None = None  # first day of the held-out rows, ISO

    def of_slices(self) -> dict[tuple[str, str], SliceScore]:
        """Slices by dimension and value; of one that comes twice the last (the gate refuses such a score)."""
        return {(each.dimension, each.value): each for each in self.slices}


class Importance(BaseModel):
    """How much worse the metric gets when one feature's values are shuffled among the rows; in the metric's unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str
    mean: float
    spread: float  # standard deviation over the repeats


class Evaluation(BaseModel):
    """Everything the gate and the report want to know of one challenger."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    month: str
    metric: str
    unit: str
    challenger: Score
    champion: Score | None
    champion_version: int | None
    champion_problem: str | None = None  # why the champion could not be scored
    importance: tuple[Importance, ...] = ()
