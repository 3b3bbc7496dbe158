"""What a model scored on held-out rows: what evaluation writes, the gate reads and the registry keeps."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Role(StrEnum):
    """Which side of the comparison a score is for."""

    CHALLENGER = "challenger"
    CHAMPION = "champion"


class Interval(BaseModel):
    """A bootstrap confidence interval by day, in the unit of what it is of."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    low: float
    high: float


class Gain(BaseModel):
    """How much better than another predictor on the same rows, as a share of the other's value (`Metric.gain`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    metric: str
    share: float
    interval: Interval | None = None  # paired, by day; None where there are too few days


class Baseline(BaseModel):
    """A predictor without a model on the same rows: a constant, the mean of a group, a declared feature as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    name: str
    value: float  # of `gain.metric`
    gain: Gain  # of the model over it


class CalibrationBin(BaseModel):
    """Rows with neighbouring predictions: what was predicted on average, and the share that was positive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    predicted: float
    actual: float


class SliceScore(BaseModel):
    """The metric on the held-out rows of one slice, such as `origin=EWR`."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    dimension: str
    value: str
    rows: int
    metric: float | None
    interval: Interval | None = None
    gain: Gain | None = None  # over the champion there; its interval holds for all slices together

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
    others: dict[str, float] = {}  # further measures; the gate reads of them what it judges by
    days: int | None = None  # the rows are of so many: what an interval counts
    gains: tuple[Gain, ...] = ()  # over the champion, one a metric that the gate judges by
    baselines: tuple[Baseline, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()  # of a classifier, by rising prediction
    trained_until: str | None = None  # last day of the training rows, ISO
    holdout_from: str | None = None  # first day of the held-out rows, ISO

    def value_of(self, metric: str) -> float | None:
        """The metric that decides, or another one that was measured beside it."""
        return self.metric if metric == self.name else self.others.get(metric)

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
