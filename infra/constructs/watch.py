"""What people look at: failed runs, schedules and builds, drift, the endpoints' errors and latency; one dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra import names
from infra.bindings import Construct
from infra.constructs.alerts import Alert, LogAlert, LogMetric, NotificationChannels
from infra.constructs.dashboard import Dashboard
from infra.settings import Environment

ENDPOINT = 'resource.type = "aiplatform.googleapis.com/Endpoint"'
METRIC = "aiplatform.googleapis.com/prediction/online"
ATTEMPT = "type.googleapis.com/google.cloud.scheduler.logging.AttemptFinished"


class Watch(Construct):
    """Alerts on pipelines and endpoints, each with what to do in its text; `builds` are ids of triggers to watch.

    Which entry each filter finds is in tests/unit/infra/alarms, with its source. Source of the metrics: Google Cloud
    metrics, "aiplatform"; `response_count` counts requests, `prediction_count` what was in them.
    """

    def __init__(
        self, scope: Construct, id: str, *, env: Environment, models: Sequence[str], builds: Sequence[str]
    ) -> None:
        super().__init__(scope, id)
        self._env = env
        self._channels = NotificationChannels(self, "channel", env=env).ids
        failures = self._runs()
        alarms = self._drift()
        self._schedules()
        if builds:
            self._builds(builds)
        for model in models:
            self._watch_endpoint(model)
        self._dashboard([failures, alarms])

    def _runs(self) -> Any:
        """Vertex AI tells of its runs itself; of those on the cluster our own last task does."""
        env = self._env
        filter = (
            '(resource.type="aiplatform.googleapis.com/PipelineJob" AND jsonPayload.state="PIPELINE_STATE_FAILED") OR '
            f'(logName="{names.event_log(env)}" AND jsonPayload.event="run-finished" AND jsonPayload.state="FAILED")'
        )
        self._log_alert(
            "pipeline-failed",
            "A run of a pipeline failed",
            f"`fonderie runs list --engine vertex --env {env.name}` lists the runs, "
            f"`fonderie runs show RUN --log --engine vertex --env {env.name}` says what failed; on the cluster it is "
            f"`--engine kubeflow`. The champion keeps serving.",
            filter,
        )
        return LogMetric(
            self,
            "pipeline-failures",
            env=env,
            what="pipeline-failures",
            description="Runs of pipelines that failed",
            filter=filter,
        ).metric

    def _drift(self) -> Any:
        env, of_model = self._env, {"model": "jsonPayload.model"}
        filter = f'logName="{names.event_log(env)}" AND jsonPayload.event="drift_alarm"'
        self._log_alert(
            "drift-alarm",
            "Data or predictions have moved",
            "A retraining was asked for if debounce and cool-down allow; "
            f"`fonderie runs list --engine vertex --env {env.name}` lists the monitoring runs, "
            f"`fonderie runs show RUN --engine vertex --env {env.name}` has the report of what moved.",
            filter,
            severity="WARNING",
            labels=of_model,
        )
        return LogMetric(
            self,
            "drift-alarms",
            env=env,
            what="drift-alarms",
            description="Comparisons of reference and current that raised an alarm",
            filter=filter,
            labels=of_model,
        ).metric

    def _schedules(self) -> None:
        """What should start by the clock, or on request, and does not: no run is there that could fail."""
        env, ours = self._env, f"^{self._env.name}-"
        self._log_alert(
            "schedule-failed",
            "A schedule could not start what it should",
            f"`gcloud scheduler jobs describe JOB --location {env.region} --project {env.project_id}` has the last "
            f"answer, `gcloud scheduler jobs run JOB --location {env.region} --project {env.project_id}` tries again.",
            f'resource.type="cloud_scheduler_job" AND resource.labels.job_id=~"{ours}" AND severity>=ERROR AND '
            f'jsonPayload."@type"="{ATTEMPT}"',
            labels={"job": "resource.labels.job_id"},
        )
        workflow = names.resource(env, names.RETRAIN)
        self._log_alert(
            "start-failed",
            "A run that was asked for did not start",
            f"`gcloud workflows executions list {workflow} --location {env.region} --project {env.project_id}` lists "
            f"what was asked for, `gcloud workflows executions describe EXECUTION --workflow {workflow} "
            f"--location {env.region} --project {env.project_id}` says why it failed.",
            'resource.type="workflows.googleapis.com/Workflow" AND '
            f'resource.labels.workflow_id="{workflow}" AND severity>=ERROR AND jsonPayload.state="FAILED"',
        )

    def _builds(self, builds: Sequence[str]) -> None:
        """Builds that run unattended; the author of a pull request sees the preview's."""
        env = self._env
        triggers = " OR ".join(f'"{build}"' for build in builds)
        self._log_alert(
            "build-failed",
            "A build failed: applying, images, or the nightly drift check",
            f"`gcloud builds list --region {env.region} --project {env.project_id} --filter status=FAILURE` lists "
            f"them, `fonderie drift --env {env.name}` shows what the nightly check has seen.",
            f'resource.type="build" AND resource.labels.build_trigger_id=({triggers}) AND '
            'textPayload=~"^(ERROR|TIMEOUT)(:|$)"',
        )

    def _watch_endpoint(self, model: str) -> None:
        env = self._env
        of_model = f'{ENDPOINT} AND resource.labels.endpoint_id = "{names.endpoint_id(env, model)}"'
        responses = f'metric.type = "{METRIC}/response_count" AND {of_model}'
        what = model.replace("_", "-")
        shared: dict[str, Any] = {
            "env": env,
            "channels": self._channels,
            "severity": "ERROR",
            "labels": {"model": model},
        }
        Alert(
            self,
            f"{model}-errors",
            what=f"{what}-errors",
            title=f"{model}: too many requests fail",
            runbook=(
                f"`fonderie models rollback {model} --env {env.name} --reason REASON` puts the previous champion back."
            ),
            filter=f'{responses} AND metric.labels.response_code = starts_with("5")',
            denominator=responses,
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

    def _log_alert(
        self,
        what: str,
        title: str,
        runbook: str,
        filter: str,
        *,
        severity: str = "ERROR",
        labels: dict[str, str] | None = None,
    ) -> None:
        LogAlert(
            self,
            what,
            env=self._env,
            what=what,
            title=title,
            runbook=runbook,
            filter=filter,
            channels=self._channels,
            severity=severity,
            labels=labels,
        )

    def _dashboard(self, metrics: list[Any]) -> None:
        env = self._env
        responses = f'metric.type = "{METRIC}/response_count" AND {ENDPOINT}'
        Dashboard(
            self,
            "dashboard",
            env=env,
            title=f"Fonderie {env.name}",
            charts=[
                ("Failed runs", _counted(env, "pipeline-failures"), "ALIGN_DELTA"),
                ("Drift alarms", _counted(env, "drift-alarms"), "ALIGN_DELTA"),
                ("Requests a second", responses, "ALIGN_RATE"),
                ("Errors a second", f'{responses} AND metric.labels.response_code = starts_with("5")', "ALIGN_RATE"),
                (
                    "Latency, 95th percentile",
                    f'metric.type = "{METRIC}/prediction_latencies" AND {ENDPOINT}',
                    "ALIGN_PERCENTILE_95",
                ),
            ],
            after=metrics,
        )


def _counted(env: Environment, metric: str) -> str:
    return f'metric.type = "logging.googleapis.com/user/{names.resource(env, metric)}"'
