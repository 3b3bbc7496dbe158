"""What a destroy will lose, read from Terraform's own plan of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ci.lifecycle.deploy import Planned

# What holds something that a deploy does not bring back, and what that is.
HOLDS = {
    "google_artifact_registry_repository": "its images",
    "google_bigquery_dataset": "its tables",
    "google_bigquery_table": "its rows",
    "google_container_cluster": "what runs on it",
    "google_monitoring_dashboard": "its history of edits",
    "google_pubsub_subscription": "messages not yet taken",
    "google_secret_manager_secret": "its values",
    "google_storage_bucket": "its objects",
    "google_vertex_ai_endpoint": "the models deployed on it",
    "google_vertex_ai_feature_online_store": "the features it serves",
    "google_vertex_ai_tensorboard": "its experiments",
}


@dataclass(frozen=True)
class Loss:
    """One resource that will be destroyed; `holds` says what is lost with it, if anything."""

    stack: str
    address: str
    type: str
    id: str
    holds: str | None


def losses(plans: Iterable[Planned]) -> list[Loss]:
    """Everything that destroy plans delete: first what holds something."""
    found = []
    for planned in plans:
        for change in planned.plan.get("resource_changes", []):
            if "delete" in change["change"]["actions"]:
                before = change["change"].get("before") or {}
                kind = change["type"]
                found.append(Loss(planned.stack, change["address"], kind, str(before.get("id")), HOLDS.get(kind)))
    return sorted(found, key=lambda one: (one.holds is None, one.stack, one.address))


def by_stack(found: Iterable[Loss]) -> dict[str, int]:
    """How many resources each stack loses."""
    return dict(Counter(one.stack for one in found))
