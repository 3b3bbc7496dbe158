"""A schedule that starts a workflow, or a build."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from imports.google.cloud_scheduler_job import (
    CloudSchedulerJob,
    CloudSchedulerJobHttpTarget,
    CloudSchedulerJobHttpTargetOauthToken,
    CloudSchedulerJobRetryConfig,
)
from infra import names
from infra.bindings import Construct
from infra.settings import Environment

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
ATTEMPT_DEADLINE = "180s"


class PipelineSchedule(Construct):
    """Cloud Scheduler calling one of Google's APIs as the scheduler's identity; a failed call is tried thrice more.

    A call that timed out may have been heard: what is called takes a second one within minutes for the first.
    Source: Cloud Scheduler, "Use authentication with HTTP targets".
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: Environment,
        what: str,
        description: str,
        cron: str,
        url: str,
        body: Mapping[str, Any],
        paused: bool = False,
        after: Sequence[Any] = (),
    ) -> None:
        super().__init__(scope, id)
        self.job = CloudSchedulerJob(
            self,
            "Default",
            name=names.resource(env, what),
            region=env.region,
            description=description,
            schedule=cron,
            time_zone=env.schedules.time_zone,
            paused=paused,
            attempt_deadline=ATTEMPT_DEADLINE,
            retry_config=CloudSchedulerJobRetryConfig(retry_count=3, min_backoff_duration="30s"),
            http_target=CloudSchedulerJobHttpTarget(
                http_method="POST",
                uri=url,
                headers={"Content-Type": "application/json"},
                body=base64.b64encode(json.dumps(body, sort_keys=True).encode()).decode(),
                oauth_token=CloudSchedulerJobHttpTargetOauthToken(
                    service_account_email=names.email(env, names.IdentityName.SCHEDULER), scope=CLOUD_PLATFORM
                ),
            ),
            depends_on=list(after) or None,
        )
