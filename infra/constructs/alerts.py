"""Who is told of what: log metrics, alert policies, notification channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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

    No alert is made of it: see LogAlert. Source: Cloud Logging, "Configure counter metrics".
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


class Alert(Construct):
    """An alert policy on one time series, with what to do written in it.

    `denominator` makes it a ratio. Source: Cloud Monitoring, "Alerting policies in the API".
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
        filter: str,
        threshold: float,
        channels: Sequence[str],
        aligner: str,
        period_s: int = 300,
        duration_s: int = 0,
        denominator: str | None = None,
        severity: str = "WARNING",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        # Without a reducer a numerator is divided by the denominator of the same labels: errors by errors.
        reducer = "REDUCE_SUM" if denominator else None
        aggregation = {
            "alignment_period": f"{period_s}s",
            "per_series_aligner": aligner,
            "cross_series_reducer": reducer,
        }
        aggregations = [MonitoringAlertPolicyConditionsConditionThresholdAggregations(**aggregation)]
        below = [MonitoringAlertPolicyConditionsConditionThresholdDenominatorAggregations(**aggregation)]
        condition = MonitoringAlertPolicyConditions(
            display_name=title,
            condition_threshold=MonitoringAlertPolicyConditionsConditionThreshold(
                filter=filter,
                comparison="COMPARISON_GT",
                threshold_value=threshold,
                duration=f"{duration_s}s",
                aggregations=aggregations,
                denominator_filter=denominator,
                denominator_aggregations=below if denominator else None,
            ),
        )
        strategy = MonitoringAlertPolicyAlertStrategy(auto_close=CLOSES_AFTER)
        self.policy = _policy(
            self, env, what, condition, strategy, runbook, channels=channels, severity=severity, labels=labels
        )


class LogAlert(Construct):
    """An alert policy on the log entries that `filter` finds, with what to do written in it; at most one an hour.

    On the entries and not on a metric of them: a policy on a metric is refused for some ten minutes after the metric
    was made, and rings for entries of the one resource type that its filter names. `labels` are fields of the entry,
    told with the incident. Source: Cloud Logging, "Configure log-based alerting policies".
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
        filter: str,
        channels: Sequence[str],
        severity: str = "ERROR",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        condition = MonitoringAlertPolicyConditions(
            display_name=title,
            condition_matched_log=MonitoringAlertPolicyConditionsConditionMatchedLog(
                filter=filter, label_extractors=_extractors(labels)
            ),
        )
        strategy = MonitoringAlertPolicyAlertStrategy(
            auto_close=CLOSES_AFTER,
            notification_rate_limit=MonitoringAlertPolicyAlertStrategyNotificationRateLimit(period=TOLD_AT_MOST_EACH),
        )
        self.policy = _policy(self, env, what, condition, strategy, runbook, channels=channels, severity=severity)


def _extractors(labels: Mapping[str, str] | None) -> dict[str, str] | None:
    return {label: f"EXTRACT({field})" for label, field in labels.items()} if labels else None


def _policy(
    scope: Construct,
    env: Environment,
    what: str,
    condition: MonitoringAlertPolicyConditions,
    strategy: MonitoringAlertPolicyAlertStrategy,
    runbook: str,
    *,
    channels: Sequence[str],
    severity: str,
    labels: Mapping[str, str] | None = None,
) -> Any:
    return MonitoringAlertPolicy(
        scope,
        "Default",
        display_name=names.resource(env, what),
        combiner="OR",
        severity=severity,
        conditions=[condition],
        documentation=MonitoringAlertPolicyDocumentation(content=runbook, mime_type="text/markdown"),
        alert_strategy=strategy,
        notification_channels=list(channels) or None,
        user_labels={**env.all_labels, **(labels or {})},
    )
