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
    MonitoringAlertPolicyConditions,
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
    """Counts log entries that `filter` finds, by what the `field` of an entry holds.

    Source: Cloud Logging, "Configure counter metrics".
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
        label: str,
        field: str,
    ) -> None:
        super().__init__(scope, id)
        self.metric = LoggingMetric(
            self,
            "Default",
            name=names.resource(env, what),
            description=description,
            filter=filter,
            metric_descriptor=LoggingMetricMetricDescriptor(
                metric_kind="DELTA",
                value_type="INT64",
                unit="1",
                labels=[LoggingMetricMetricDescriptorLabels(key=label, value_type="STRING")],
            ),
            label_extractors={label: f"EXTRACT({field})"},
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
        after: Sequence[Any] = (),
    ) -> None:
        super().__init__(scope, id)
        aggregation = {"alignment_period": f"{period_s}s", "per_series_aligner": aligner}
        aggregations = [MonitoringAlertPolicyConditionsConditionThresholdAggregations(**aggregation)]
        below = [MonitoringAlertPolicyConditionsConditionThresholdDenominatorAggregations(**aggregation)]
        self.policy = MonitoringAlertPolicy(
            self,
            "Default",
            display_name=names.resource(env, what),
            combiner="OR",
            severity=severity,
            conditions=[
                MonitoringAlertPolicyConditions(
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
            ],
            documentation=MonitoringAlertPolicyDocumentation(content=runbook, mime_type="text/markdown"),
            alert_strategy=MonitoringAlertPolicyAlertStrategy(auto_close=CLOSES_AFTER),
            notification_channels=list(channels) or None,
            user_labels={**env.all_labels, **(labels or {})},
            depends_on=list(after) or None,
        )
