"""A few things are counted: a project may have so many of them.

Source: the "Quotas and limits" pages of IAM, VPC and Cloud KMS; the numbers are Google's defaults for a new project.
`fonderie sandbox run --quota NAME=NUMBER` grants more, as a request to Google would.
"""

from __future__ import annotations

from dataclasses import dataclass

from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule


@dataclass(frozen=True)
class Quota:
    """How many of a type a project (or a region of it) may have."""

    name: str
    type: str
    limit: int
    by_region: bool = False


QUOTAS = (
    Quota("SERVICE_ACCOUNTS", "google_service_account", 100),
    Quota("CUSTOM_ROLES", "google_project_iam_custom_role", 300),
    Quota("NETWORKS", "google_compute_network", 15),
    Quota("SUBNETWORKS", "google_compute_subnetwork", 275),
    Quota("FIREWALLS", "google_compute_firewall", 200),
    Quota("ROUTERS", "google_compute_router", 20),
    Quota("STATIC_ADDRESSES", "google_compute_address", 8, by_region=True),
    Quota("WORKLOAD_IDENTITY_POOLS", "google_iam_workload_identity_pool", 100),
    Quota("CLUSTERS", "google_container_cluster", 50, by_region=True),
)


def note(name: str) -> str:
    """Where a cloud keeps what was granted."""
    return f"quota:{name}"


@rule(LifecycleEvent.CREATE, *(one.type for one in QUOTAS), source="https://cloud.google.com/docs/quotas/overview")
def quotas_are_kept(request: ObjectRequest) -> None:
    """A project has so many service accounts, networks, addresses and so on, and no more."""
    if not request.fresh:
        return
    for quota in (one for one in QUOTAS if one.type == request.type):
        limit = int(request.cloud.note(note(quota.name)) or quota.limit)
        things = request.cloud.things(quota.type, project=request.project)
        region = "/".join(request.path.split("/")[:4]) + "/" if quota.by_region else ""
        if sum(one.path.startswith(region) for one in things) >= limit:
            where = f" in region {region.split('/')[3]}" if region else ""
            raise request.error(403, f"Quota '{quota.name}' exceeded.  Limit: {limit}.0{where}.", "quotaExceeded")
