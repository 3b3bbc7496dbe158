"""Clusters bring the project's pool of Kubernetes identities, and need ranges that exist.

Source: GKE's "Workload Identity Federation" and "VPC-native clusters" pages.
"""

from __future__ import annotations

from fonderie.sandbox.lifecycle.members import workload_pool_note
from fonderie.sandbox.lifecycle.world import Request, block, text
from fonderie.sandbox.rules.rulebook import Event, rule

_IDENTITIES = "https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity"
_RANGES = "https://cloud.google.com/kubernetes-engine/docs/concepts/alias-ips"


@rule(Event.CREATED, "google_container_cluster", source=_IDENTITIES)
def the_first_cluster_brings_the_workload_pool(request: Request) -> None:
    """`PROJECT.svc.id.goog` exists only once the first cluster that uses it does; then it stays."""
    pool = text(block(request.state, "workload_identity_config"), "workload_pool")
    autopilot = request.state.get("enable_autopilot") is True
    if pool or autopilot:
        project = pool.removesuffix(".svc.id.goog") or request.project
        request.cloud.set_note(workload_pool_note(project), "1")


@rule(Event.CREATE, "google_container_cluster", source=_RANGES)
def named_ranges_exist_in_the_subnetwork(request: Request) -> None:
    """Secondary ranges that a cluster names must be those of its subnetwork."""
    if not request.fresh:
        return
    name = text(request.state, "subnetwork")
    if not name:
        return
    path = request.world.names.refer("google_compute_subnetwork", name, request.values)
    subnetwork = request.cloud.live("google_compute_subnetwork", path)
    known = (
        {one.get("range_name") for one in (subnetwork.attributes.get("secondary_ip_range") or [])}
        if subnetwork
        else set()
    )
    policy = block(request.state, "ip_allocation_policy")
    for attribute in ("cluster_secondary_range_name", "services_secondary_range_name"):
        wanted = text(policy, attribute)
        if wanted and subnetwork and wanted not in known:
            what = f'Pod or services secondary range "{wanted}" does not exist in network, subnetwork "{name}".'
            raise request.error(400, what, "badRequest")
