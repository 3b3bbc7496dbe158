"""Who is told of what: log metrics, alert policies, notification channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imports.google.logging_metric import (
    LoggingMetric,
    LoggingMetricMetricDescriptor,
    LoggingMetricMetricDescriptorLabels,
)
from imports.google.monitoring_alert_policy import (
    MonitoringAlertPolicy,
    MonitoringAlertPolicyAlertStrategy,
    MonitoringAlertPolicyAlertStrategyNotificationRateLimit,
    MonitoringAlertPolicyConditions,
    MonitoringAlertPolicyConditionsConditionMatchedLog,
    MonitoringAlertPolicyConditionsConditionThreshold,
    MonitoringAlertPolicyConditionsConditionThresholdAggregations,
    MonitoringAlertPolicyConditionsConditionThresholdDenominatorAggregations,
    MonitoringAlertPolicyDocumentation,
)
from imports.google.monitoring_notification_channel import MonitoringNotificationChannel
from infra import names
from infra.bindings import Construct
from infra.settings import Environment

CLOSES_AFTER = f"{7 * 86_400}s"
TOLD_AT_MOST_EACH = "3600s"


class NotificationChannels(Construct):
    """An e-mail channel for each address of the settings."""

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id)
        self.ids = [
            MonitoringNotificationChannel(
                self,
                address.replace("@", "-at-"),
                display_name=f"{env.name} {address}",
                type="email",
                labels={"email_address": address},
                user_labels=env.all_labels,
                force_delete=env.ephemeral,
            ).id
            for address in env.alerts.emails
        ]


class LogMetric(Construct):
    """Counts log entries that `filter` finds, by what the fields `labels` of an entry hold, for a chart.

    No alert is made of it: `LogEntries` says why. Source: Cloud Logging, "Configure counter metrics".
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: Environment,
        what: str,
        description: str,
        filter: str,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        keys = [LoggingMetricMetricDescriptorLabels(key=label, value_type="STRING") for label in labels or ()]
        self.metric = LoggingMetric(
            self,
            "Default",
            name=names.resource(env, what),
            description=description,
            filter=filter,
            metric_descriptor=LoggingMetricMetricDescriptor(
                metric_kind="DELTA", value_type="INT64", unit="1", labels=keys or None
            ),
            label_extractors=_extractors(labels),
        )


@dataclass(frozen=True)
class Threshold:
    """One time series above a value; with `denominator`, a ratio. Source: Cloud Monitoring, "Alerting policies in the
    API"."""

    filter: str
    above: float
    aligner: str
    denominator: str | None = None
    period_s: int = 300
    duration_s: int = 300


@dataclass(frozen=True)
class LogEntries:
    """Log entries that `filter` finds; `fields`, by label, are told with the incident.

    On the entries and not on a metric of them: a policy on a metric is refused for some ten minutes after the metric
    was made, and rings for entries of the one resource type that its filter names. Source: Cloud Logging, "Configure
    log-based alerting policies".
    """

    filter: str
    fields: Mapping[str, str] | None = None


class Alert(Construct):
    """An alert policy with what to do written in it: `runbook` names only what who is on call may run.

    Log entries ring at most once an hour.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: Environment,
        what: str,
        title: str,
        runbook: str,
        condition: Threshold | LogEntries,
        channels: Sequence[str],
        severity: str = "ERROR",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        limit = None
        if isinstance(condition, LogEntries):
            limit = MonitoringAlertPolicyAlertStrategyNotificationRateLimit(period=TOLD_AT_MOST_EACH)
        self.policy = MonitoringAlertPolicy(
            self,
            "Default",
            display_name=names.resource(env, what),
            combiner="OR",
            severity=severity,
            conditions=[_log(title, condition) if isinstance(condition, LogEntries) else _threshold(title, condition)],
            documentation=MonitoringAlertPolicyDocumentation(content=runbook, mime_type="text/markdown"),
            alert_strategy=MonitoringAlertPolicyAlertStrategy(auto_close=CLOSES_AFTER, notification_rate_limit=limit),
            notification_channels=list(channels) or None,
            user_labels={**env.all_labels, **(labels or {})},
        )


def _threshold(title: str, condition: Threshold) -> MonitoringAlertPolicyConditions:
    # Without a reducer a numerator is divided by the denominator of the same labels: errors by errors.
    aggregation = {
        "alignment_period": f"{condition.period_s}s",
        "per_series_aligner": condition.aligner,
        "cross_series_reducer": "REDUCE_SUM" if condition.denominator else None,
    }
    below = [MonitoringAlertPolicyConditionsConditionThresholdDenominatorAggregations(**aggregation)]
    return MonitoringAlertPolicyConditions(
        display_name=title,
        condition_threshold=MonitoringAlertPolicyConditionsConditionThreshold(
            filter=condition.filter,
            comparison="COMPARISON_GT",
            threshold_value=condition.above,
            duration=f"{condition.duration_s}s",
            aggregations=[MonitoringAlertPolicyConditionsConditionThresholdAggregations(**aggregation)],
            denominator_filter=condition.denominator,
            denominator_aggregations=below if condition.denominator else None,
        ),
    )


def _log(title: str, condition: LogEntries) -> MonitoringAlertPolicyConditions:
    return MonitoringAlertPolicyConditions(
        display_name=title,
        condition_matched_log=MonitoringAlertPolicyConditionsConditionMatchedLog(
            filter=condition.filter, label_extractors=_extractors(condition.fields)
        ),
    )


def _extractors(labels: Mapping[str, str] | None) -> dict[str, str] | None:
    return {label: f"EXTRACT({field})" for label, field in labels.items()} if labels else None
