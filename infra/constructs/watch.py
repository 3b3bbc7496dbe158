"""What people look at: failed runs, schedules and builds, drift, the endpoints' errors and latency; one dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra import names
from infra.bindings import Construct
from infra.constructs.alerts import Alert, LogEntries, LogMetric, NotificationChannels, Threshold
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
        self._alert(
            "pipeline-failed",
            "A run of a pipeline failed",
            f"`fonderie runs list --engine vertex --env {env.name}` lists the runs, "
            f"`fonderie runs show RUN --log --engine vertex --env {env.name}` says what failed; on the cluster it is "
            f"`--engine kubeflow`. `gcloud logging read QUERY --project {env.project_id}` reads a task's log by its "
            f"query. The champion keeps serving.",
            LogEntries(filter),
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
        self._alert(
            "drift-alarm",
            "Data or predictions have moved",
            "A retraining was asked for if debounce and cool-down allow; "
            f"`fonderie runs list --engine vertex --env {env.name}` lists the monitoring runs, "
            f"`fonderie runs show RUN --engine vertex --env {env.name}` says where the report of what moved is.",
            LogEntries(filter, of_model),
            severity="WARNING",
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
        self._alert(
            "schedule-failed",
            "A schedule could not start what it should",
            f"`gcloud scheduler jobs describe JOB --location {env.region} --project {env.project_id}` has the last "
            f"answer, `gcloud scheduler jobs run JOB --location {env.region} --project {env.project_id}` tries again.",
            LogEntries(
                f'resource.type="cloud_scheduler_job" AND resource.labels.job_id=~"{ours}" AND severity>=ERROR AND '
                f'jsonPayload."@type"="{ATTEMPT}"',
                {"job": "resource.labels.job_id"},
            ),
        )
        workflow = names.resource(env, names.RETRAIN)
        self._alert(
            "start-failed",
            "A run that was asked for did not start",
            f"`gcloud workflows executions list {workflow} --location {env.region} --project {env.project_id}` lists "
            f"what was asked for, `gcloud workflows executions describe EXECUTION --workflow {workflow} "
            f"--location {env.region} --project {env.project_id}` says why it failed.",
            LogEntries(
                'resource.type="workflows.googleapis.com/Workflow" AND '
                f'resource.labels.workflow_id="{workflow}" AND severity>=ERROR AND jsonPayload.state="FAILED"'
            ),
        )

    def _builds(self, builds: Sequence[str]) -> None:
        """Builds that run unattended; the author of a pull request sees the preview's."""
        env = self._env
        triggers = " OR ".join(f'"{build}"' for build in builds)
        self._alert(
            "build-failed",
            "A build failed: applying, images, or the nightly drift check",
            f"`gcloud builds list --region {env.region} --project {env.project_id} --filter status=FAILURE` lists "
            f"them, `gcloud builds log BUILD --region {env.region} --project {env.project_id}` says why, and what the "
            f"nightly check has seen.",
            LogEntries(
                f'resource.type="build" AND resource.labels.build_trigger_id=({triggers}) AND '
                'textPayload=~"^(ERROR|TIMEOUT)(:|$)"'
            ),
        )

    def _watch_endpoint(self, model: str) -> None:
        env = self._env
        of_model = f'{ENDPOINT} AND resource.labels.endpoint_id = "{names.endpoint_id(env, model)}"'
        responses = f'metric.type = "{METRIC}/response_count" AND {of_model}'
        what = model.replace("_", "-")
        self._alert(
            f"{what}-errors",
            f"{model}: too many requests fail",
            f"`fonderie models rollback {model} --env {env.name} --reason REASON` puts the previous champion back.",
            Threshold(
                f'{responses} AND metric.labels.response_code = starts_with("5")',
                above=env.alerts.error_ratio,
                aligner="ALIGN_RATE",
                denominator=responses,
            ),
            id=f"{model}-errors",
            labels={"model": model},
        )
        self._alert(
            f"{what}-latency",
            f"{model}: answers are slow",
            "95th percentile; more replicas (`[serving]` in the environment's file) or a faster machine.",
            Threshold(
                f'metric.type = "{METRIC}/prediction_latencies" AND {of_model}',
                above=env.alerts.latency_ms,
                aligner="ALIGN_PERCENTILE_95",
            ),
            id=f"{model}-latency",
            labels={"model": model},
        )

    def _alert(
        self,
        what: str,
        title: str,
        runbook: str,
        condition: Threshold | LogEntries,
        *,
        id: str = "",
        severity: str = "ERROR",
        labels: dict[str, str] | None = None,
    ) -> None:
        Alert(
            self,
            id or what,
            env=self._env,
            what=what,
            title=title,
            runbook=runbook,
            condition=condition,
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
