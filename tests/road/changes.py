"""What Terraform changes in an environment as who applies: edits of every kind in place, and its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ci.lifecycle.deploy import Deployer, Stack, by_a_person, stacks_in, synthesise
from ci.lifecycle.recreate.operator_actions import operator_actions_for
from ci.lifecycle.recreate.run import Recreate
from infra.settings import Environment
from tests.road.project import acting

EDITS: Mapping[str, Mapping[str, Any]] = {
    "google_bigquery_table": {"schema": lambda text: json.dumps(json.loads(text)[:-1])},
    "google_cloud_scheduler_job": {"description": "changed", "paused": True},
    "google_cloudbuild_trigger": {"description": "changed"},
    "google_cloudbuildv2_connection": {"annotations": {"changed": "yes"}},
    "google_compute_firewall": {"description": "changed"},
    "google_compute_network": {"routing_mode": lambda mode: "REGIONAL" if mode == "GLOBAL" else "GLOBAL"},
    "google_compute_subnetwork": {
        "private_ip_google_access": False,
        "log_config": lambda block: {**block, "flow_sampling": 0.25},
        "ip_cidr_range": lambda written: written.replace("/22", "/21"),
    },
    "google_logging_metric": {"description": "changed"},
    "google_monitoring_alert_policy": {"display_name": "changed"},
    "google_monitoring_dashboard": {
        "dashboard_json": lambda text: text.replace('"displayName": "', '"displayName": "x')
    },
    "google_monitoring_notification_channel": {"display_name": "changed"},
    "google_service_account": {"display_name": "changed"},
}
"""What a change of our constructs may set: calls that no setting of an environment leads to."""


def apply_edits(name: str, outdir: Path, environment: Mapping[str, str]) -> None:
    """Apply an environment's stacks with other labels and EDITS; they stay in `outdir`."""
    stacks = [each for each in synthesise([name], outdir, variables=environment) if not by_a_person(each.name)]
    for stack in stacks:
        _edit(stack)
    Deployer(environment).deploy(stacks)


def _edit(stack: Stack) -> None:
    file = stack.folder / "cdk.tf.json"
    config = json.loads(file.read_text())
    config["provider"]["google"][0]["default_labels"]["cost_center"] = "another"
    for type, resources in config["resource"].items():
        for values in resources.values():
            for name, to in EDITS.get(type, {}).items():
                values[name] = to(values.get(name, "")) if callable(to) else to
    file.write_text(json.dumps(config))


def destroy(env: Environment, outdir: Path, environment: Mapping[str, str]) -> None:
    """Take protections off the stacks that were applied from `outdir`, and destroy all but the bootstrap."""
    with acting(environment):
        operator = operator_actions_for(environment, env.project_id)
        given = (env.name, env.project_id, stacks_in(outdir), Deployer(environment), operator)
        recreate = Recreate(*given, outdir.with_name("unprotected"), tell=lambda _: None, wait=lambda _: None)
        recreate.will_lose()
        for act in (recreate._unprotect, recreate._destroy):
            for stack in reversed(recreate.destroyable):
                act(stack)
