"""Monitoring: an alert on a metric of the logs needs that metric, and a new metric is not known at once."""

from __future__ import annotations

import json
import re

from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_SOURCE = "https://github.com/hashicorp/terraform-provider-google/issues/11102"
_METRIC = re.compile(r"logging\.googleapis\.com/user/([\w.%/-]+)")


@rule(LifecycleEvent.CREATED, "google_logging_metric", source=_SOURCE)
def a_log_metric_is_known_late(request: ObjectRequest) -> None:
    """A metric of the logs is known to alerts some minutes after it was made (`--propagation`)."""
    request.world.note_making(request.path)


@rule(LifecycleEvent.CREATE, "google_monitoring_alert_policy", source=_SOURCE)
def an_alert_needs_its_log_metric(request: ObjectRequest) -> None:
    """An alert on a metric of the logs is refused while that metric is not known."""
    _check(request, "creating")


@rule(LifecycleEvent.UPDATE, "google_monitoring_alert_policy", source=_SOURCE)
def a_changed_alert_needs_its_log_metric(request: ObjectRequest) -> None:
    """An alert cannot be changed to a metric of the logs that is not known."""
    _check(request, "updating")


def _check(request: ObjectRequest, verb: str) -> None:
    if not request.fresh:
        return
    conditions = json.dumps(request.state.get("conditions") or [], default=str)
    for name in dict.fromkeys(_METRIC.findall(conditions)):
        path = f"projects/{request.project}/metrics/{name}"
        if not request.world.there("google_logging_metric", path) or not request.world.in_effect(path):
            raise request.error(
                404,
                f'Cannot find metric(s) that match type = "logging.googleapis.com/user/{name}". If a metric was '
                "created recently, it could take up to 10 minutes to become available. Please try again soon.",
                "notFound",
                verb=verb,
            )
