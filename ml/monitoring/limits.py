"""What chance alone does to a measure, so that an alarm is never the size of the sample.

Every limit is the larger of the model's own (how much change matters) and the noise of its measure (how much change the
two samples show when nothing changed). The noise is taken so high that all comparisons of one month together cry wolf
in one month of a hundred at most (Bonferroni), assuming independent rows.
"""

from __future__ import annotations

import math

from scipy import stats

FALSE_ALARMS = 0.01
"""Chance of any alarm in a month that is drawn from the reference itself."""

ROWS_AN_HOUR = 100
"""Flights of one hour share their weather and their airports' state: so many rows count as one observation."""


def divergence_noise(reference: int, current: int, buckets: int, tests: int) -> float:
    """Jensen-Shannon divergence (bits) that equal distributions stay below: JS ~ chi2(k - 1) (1/n + 1/m) / (8 ln 2)."""
    return psi_noise(reference, current, buckets, tests) / (8 * math.log(2))


def psi_noise(reference: int, current: int, buckets: int, tests: int) -> float:
    """Population stability index that equal distributions stay below: PSI ~ chi2(k - 1) (1/n + 1/m)."""
    if not (reference and current):
        return math.inf
    return float(stats.chi2.isf(FALSE_ALARMS / tests, max(buckets - 1, 1))) * (1 / reference + 1 / current)


def share_noise(share: float, reference: int, current: int, tests: int) -> float:
    """Difference of a share that equal distributions stay below (normal approximation)."""
    if not (reference and current):
        return math.inf
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
    mass = max(once, 1) / reference
    return float(stats.binom.isf(FALSE_ALARMS / tests, current, min(2 * mass, 1.0))) / current
