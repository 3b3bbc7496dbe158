"""What people look at: failed runs, drift, the endpoints' errors and latency; one dashboard of it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra import names
from infra.bindings import Construct
from infra.constructs.alerts import Alert, LogMetric, NotificationChannels
from infra.constructs.dashboard import Dashboard
from infra.settings import Environment

RUN = "aiplatform.googleapis.com/PipelineJob"
ENDPOINT = 'resource.type = "aiplatform.googleapis.com/Endpoint"'
METRIC = "aiplatform.googleapis.com/prediction/online"


class Watch(Construct):
    """Alerts on pipelines and endpoints, each with what to do in its text.

    Source: Vertex AI, "Cloud Monitoring metrics" and "Audit pipeline job events".
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment, models: Sequence[str]) -> None:
        super().__init__(scope, id)
        channels = NotificationChannels(self, "channel", env=env).ids
        failures = LogMetric(
            self,
            "pipeline-failures",
            env=env,
            what="pipeline-failures",
            description="Runs of pipelines that failed",
            filter=f'resource.type="{RUN}" jsonPayload.state="PIPELINE_STATE_FAILED"',
            label="run",
            field="resource.labels.pipeline_job_id",
        ).metric
        drift = LogMetric(
            self,
            "drift-alarms",
            env=env,
            what="drift-alarms",
            description="Comparisons of reference and current that raised an alarm",
            filter='jsonPayload.event="drift_alarm"',
            label="model",
            field="jsonPayload.model",
        ).metric
        counts: dict[str, Any] = {"threshold": 0, "aligner": "ALIGN_DELTA", "channels": channels, "env": env}
        Alert(
            self,
            "pipeline-failed",
            what="pipeline-failed",
            title="A run of a pipeline failed",
            runbook=(
                f"`fonderie runs list --engine vertex --env {env.name}` lists the runs, "
                f"`fonderie runs show RUN --log --engine vertex --env {env.name}` says what failed; "
                "the champion keeps serving."
            ),
            filter=_counted(env.name, "pipeline-failures", RUN),
            severity="ERROR",
            after=[failures],
            **counts,
        )
        Alert(
            self,
            "drift-alarm",
            what="drift-alarm",
            title="Data or predictions have moved",
            runbook=(
                "A retraining was asked for if debounce and cool-down allow; "
                f"`fonderie runs list --engine vertex --env {env.name}` lists the monitoring runs, "
                f"`fonderie runs show RUN --engine vertex --env {env.name}` has the report of what moved."
            ),
            filter=_counted(env.name, "drift-alarms", RUN),
            after=[drift],
            **counts,
        )
        for model in models:
            self._watch_endpoint(env, model, channels)
        self._dashboard(env, [failures, drift])

    def _watch_endpoint(self, env: Environment, model: str, channels: list[str]) -> None:
        of_model = f'{ENDPOINT} AND resource.labels.endpoint_id = "{names.endpoint_id(env, model)}"'
        what = model.replace("_", "-")
        shared: dict[str, Any] = {"env": env, "channels": channels, "severity": "ERROR", "labels": {"model": model}}
        Alert(
            self,
            f"{model}-errors",
            what=f"{what}-errors",
            title=f"{model}: too many requests fail",
            runbook=(
                f"`fonderie models rollback {model} --env {env.name} --reason REASON` puts the previous champion back."
            ),
            filter=f'metric.type = "{METRIC}/error_count" AND {of_model}',
            denominator=f'metric.type = "{METRIC}/prediction_count" AND {of_model}',
            threshold=env.alerts.error_ratio,
            aligner="ALIGN_RATE",
            duration_s=300,
            **shared,
        )
        Alert(
            self,
            f"{model}-latency",
            what=f"{what}-latency",
            title=f"{model}: answers are slow",
            runbook="95th percentile; more replicas (`[serving]` in the environment's file) or a faster machine.",
            filter=f'metric.type = "{METRIC}/prediction_latencies" AND {of_model}',
            threshold=env.alerts.latency_ms,
            aligner="ALIGN_PERCENTILE_95",
            duration_s=300,
            **shared,
        )

    def _dashboard(self, env: Environment, metrics: list[Any]) -> None:
        Dashboard(
            self,
            "dashboard",
            env=env,
            title=f"Fonderie {env.name}",
            charts=[
                ("Failed runs", _counted(env.name, "pipeline-failures", RUN), "ALIGN_DELTA"),
                ("Drift alarms", _counted(env.name, "drift-alarms", RUN), "ALIGN_DELTA"),
                ("Predictions a second", f'metric.type = "{METRIC}/prediction_count" AND {ENDPOINT}', "ALIGN_RATE"),
                ("Errors a second", f'metric.type = "{METRIC}/error_count" AND {ENDPOINT}', "ALIGN_RATE"),
                (
                    "Latency, 95th percentile",
                    f'metric.type = "{METRIC}/prediction_latencies" AND {ENDPOINT}',
                    "ALIGN_PERCENTILE_95",
                ),
            ],
            after=metrics,
        )


def _counted(environment: str, metric: str, resource_type: str) -> str:
    return f'metric.type = "logging.googleapis.com/user/{environment}-{metric}" AND resource.type = "{resource_type}"'
