"""A small evaluator of alert policies: which of them ring for a log entry, or for points of time series.

Source: Cloud Monitoring REST reference, `projects.alertPolicies` (conditionMatchedLog, conditionThreshold), "Filtering
and aggregation". What it does not know raises.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fonderie.sandbox.logging_filter import logging_filter, monitoring_filter

Policy = Mapping[str, Any]
Series = tuple[Mapping[str, Any], Sequence[float]]
"""(`metric` and `resource`, what was counted or measured in each second of one alignment period)"""


def rings_for_entry(policy: Policy, entry: Mapping[str, Any]) -> bool:
    """Whether a policy on log entries rings for one. It says how often it tells of it, or Google refuses it."""
    (condition,) = policy["conditions"]
    if "condition_matched_log" not in condition:
        return False
    assert policy["alert_strategy"]["notification_rate_limit"]["period"]
    return logging_filter(condition["condition_matched_log"]["filter"])(entry)


def rings_for_series(policy: Policy, series: Sequence[Series]) -> bool:
    """Whether a policy on time series rings, if the period goes on as long as the policy's duration."""
    (condition,) = policy["conditions"]
    threshold = condition.get("condition_threshold")
    if threshold is None:
        return False
    assert "resource.type" in threshold["filter"], "a condition is of one type of resource"
    assert threshold["comparison"] == "COMPARISON_GT"
    values = _aggregated(threshold["filter"], threshold["aggregations"], series)
    if denominator := threshold.get("denominator_filter"):
        below = _aggregated(denominator, threshold["denominator_aggregations"], series)
        values = {labels: value / below[labels] for labels, value in values.items() if below.get(labels)}
    return any(value > threshold["threshold_value"] for value in values.values())


def _aggregated(filter: str, aggregations: Sequence[Mapping[str, Any]], series: Sequence[Series]) -> dict[Any, float]:
    """The value of each time series that is left, by its labels: a ratio is made of those of equal labels."""
    (aggregation,) = aggregations
    period_s = float(aggregation["alignment_period"].removesuffix("s"))
    matches = monitoring_filter(filter)
    aligned = {}
    for about, points in series:
        if matches(about):
            labels = (*sorted(about["metric"].get("labels", {}).items()), *sorted(about["resource"]["labels"].items()))
            aligned[labels] = _aligned(aggregation["per_series_aligner"], points, period_s)
    reducer = aggregation.get("cross_series_reducer")
    if reducer is None:
        return aligned
    assert reducer == "REDUCE_SUM"
    groups: defaultdict[Any, float] = defaultdict(float)
    for value in aligned.values():
        groups[()] += value  # no `group_by_fields`: one series is left
    return groups


def _aligned(aligner: str, points: Sequence[float], period_s: float) -> float:
    match aligner:
        case "ALIGN_RATE":
            return sum(points) / period_s
        case "ALIGN_DELTA":
            return sum(points)
        case "ALIGN_PERCENTILE_95":
            return float(np.percentile(points, 95))
    raise NotImplementedError(aligner)
