"""Measures of drift: each an object with how it compares, its threshold and its words; and what chance does to it.

A new measure is one object in `MEASURES`. The monitor, the [drift] section of a model's file, the editors' schema and
the preview read it from here. NumPy and SciPy are imported where they are needed: model files are read without them.

Every limit is the larger of the model's own (how much change matters) and the noise of its measure (how much change the
two samples show when nothing changed). The noise is taken so high that all comparisons of one month together cry wolf
in one month of a hundred at most (Bonferroni), assuming independent rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ml.monitoring.columns import CategorySide, NumericSide

FALSE_ALARMS = 0.01
"""Chance of any alarm in a month that is drawn from the reference itself."""

ROWS_AN_HOUR = 100
"""Flights of one hour share their weather and their airports' state: so many rows count as one observation."""

STABLE_PSI = 0.1
"""Customary: below it a distribution counts as stable. Jensen-Shannon over TFDV's buckets jumps when one extreme value
moves their boundaries (a single large aircraft); the quantile bins of PSI do not, so an alarm needs both."""


class Subject(StrEnum):
    """What a measure compares."""

    NUMERIC = "numeric feature"
    CATEGORICAL = "categorical feature"
    PREDICTION = "prediction"
    COLUMN = "column"  # its quality, of a feature of any kind
    ERROR = "error"


@dataclass(frozen=True)
class Comparison:
    """A month beside the reference: the value, what chance alone makes of it, and what else there is to say."""

    value: float
    noise: float
    detail: str = ""
    stable: bool = False
    """One extreme value moved it, the quantiles have not: no alarm."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One way in which a month can differ from the reference, and from which value on that matters."""

    key: str
    """Of its threshold, in [drift]."""
    name: str
    """In findings."""
    subject: Subject
    threshold: float
    """Where the model's file says nothing."""
    description: str
    words: str
    """Of its threshold, in the preview of a change."""
    compare: Callable[[Any, Any, int], Comparison] | None = None
    """(reference, month, number of comparisons in the month); None where `monitor.py` compares with the gate."""
    most: float = 1.0
    """No threshold is larger, and no limit."""


def divergence_noise(reference: int, current: int, buckets: int, tests: int) -> float:
    """Jensen-Shannon divergence (bits) that equal distributions stay below: JS ~ chi2(k - 1) (1/n + 1/m) / (8 ln 2)."""
    return psi_noise(reference, current, buckets, tests) / (8 * math.log(2))


def psi_noise(reference: int, current: int, buckets: int, tests: int) -> float:
    """Population stability index that equal distributions stay below: PSI ~ chi2(k - 1) (1/n + 1/m)."""
    if not (reference and current):
        return math.inf
    from scipy import stats

    return float(stats.chi2.isf(FALSE_ALARMS / tests, max(buckets - 1, 1))) * (1 / reference + 1 / current)


def share_noise(share: float, reference: int, current: int, tests: int) -> float:
    """Difference of a share that equal distributions stay below (normal approximation)."""
    if not (reference and current):
        return math.inf
    from scipy import stats

    # One pseudo-row on each side: a share of 0 in few rows does not mean that there is no variance.
    pooled = min(max(share, 1 / (reference + current)), 0.5)
    return float(stats.norm.isf(FALSE_ALARMS / tests / 2)) * math.sqrt(
        pooled * (1 - pooled) * (1 / reference + 1 / current)
    )


def unseen_noise(once: int, reference: int, current: int, tests: int) -> float:
    """Share of values the reference has not seen that the same distribution stays below.

    Good and Turing: the mass of what was not seen is about the share of what was seen `once`.
    """
    if not (reference and current):
        return math.inf
    from scipy import stats

    mass = max(once, 1) / reference
    return float(stats.binom.isf(FALSE_ALARMS / tests, current, min(2 * mass, 1.0))) / current


def _divergence(reference: NumericSide, current: NumericSide, tests: int) -> Comparison:
    from ml.monitoring.drift import BUCKETS, jensen_shannon, psi

    sizes = reference.size, current.size
    moved = psi(reference.known, current.known)
    return Comparison(
        value=jensen_shannon(reference.buckets, current.buckets),
        noise=divergence_noise(*sizes, 2 * BUCKETS, tests),
        detail=f"PSI {moved:.2f}",
        stable=moved < max(STABLE_PSI, psi_noise(*sizes, BUCKETS, tests)),
    )


def _distance(reference: CategorySide, current: CategorySide, tests: int) -> Comparison:
    from ml.monitoring.drift import jensen_shannon_categories, l_infinity

    return Comparison(
        value=l_infinity(reference.counts, current.counts),
        noise=share_noise(0.5, reference.size, current.size, tests * len(reference.counts)),
        detail=f"Jensen-Shannon {jensen_shannon_categories(reference.counts, current.counts):.3f}",
    )


def _nulls(reference: NumericSide | CategorySide, current: NumericSide | CategorySide, tests: int) -> Comparison:
    before, after = reference.null_rate, current.null_rate
    return Comparison(
        value=abs(after - before),
        noise=share_noise((before + after) / 2, reference.rows, current.rows, tests),
        detail=f"more or fewer nulls: {after:.1%}, before {before:.1%}",
    )


FEATURE_DIVERGENCE = Measure(
    key="feature_js",
    name="jensen_shannon",
    subject=Subject.NUMERIC,
    compare=_divergence,
    threshold=0.1,
    description="Jensen-Shannon divergence (log2), weighted by importance, one feature",
    words="drift threshold of a feature",
)
CATEGORY_DISTANCE = Measure(
    key="category_linf",
    name="l_infinity",
    subject=Subject.CATEGORICAL,
    compare=_distance,
    threshold=0.1,
    description="L-infinity distance of a categorical feature",
    words="drift threshold of a category",
)
PREDICTION_DIVERGENCE = Measure(
    key="prediction_js",
    name="jensen_shannon",
    subject=Subject.PREDICTION,
    compare=_divergence,
    threshold=0.1,
    description="Jensen-Shannon divergence of the predictions",
    words="drift threshold of the predictions",
)
NULL_RATE = Measure(
    key="null_rate_change",
    name="null_rate",
    subject=Subject.COLUMN,
    compare=_nulls,
    threshold=0.1,
    description="absolute change of a column's share of nulls",
    words="drift: null rate change",
)
ERROR_INCREASE = Measure(
    key="error_increase",
    name="error",
    subject=Subject.ERROR,
    threshold=0.15,
    description="error over the champion's own gate error, as a share of it",
    words="drift: error increase",
    most=math.inf,
)

MEASURES = [FEATURE_DIVERGENCE, CATEGORY_DISTANCE, PREDICTION_DIVERGENCE, NULL_RATE, ERROR_INCREASE]
"""Every measure there is, in the order of the [drift] section."""


def measures_of(subject: Subject) -> list[tuple[Measure, Callable[[Any, Any, int], Comparison]]]:
    """The measures of a subject, each with its comparison."""
    return [(measure, measure.compare) for measure in MEASURES if measure.subject is subject and measure.compare]
