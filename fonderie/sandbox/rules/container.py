"""GKE: clusters bring the project's pool of Kubernetes identities, need ranges that exist, and keep some features.

Source: GKE's "Workload Identity Federation" and "VPC-native clusters" pages."""

from __future__ import annotations

from fonderie.sandbox.lifecycle.interface import Path, State
from fonderie.sandbox.lifecycle.members import workload_pool_note
from fonderie.sandbox.lifecycle.world import ObjectRequest, block, text
from fonderie.sandbox.planning.type_rules import Situation, TypeRules
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_IDENTITIES = "https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity"
_POSTURE = "https://container.googleapis.com/$discovery/rest?version=v1"
_MANAGEMENT = "https://github.com/hashicorp/terraform-provider-google/pull/23849"
_RANGES = "https://cloud.google.com/kubernetes-engine/docs/concepts/alias-ips"


@rule(LifecycleEvent.CREATED, "google_container_cluster", source=_IDENTITIES)
def the_first_cluster_brings_the_workload_pool(request: ObjectRequest) -> None:
    """`PROJECT.svc.id.goog` exists only once the first cluster that uses it does; then it stays."""
    pool = text(block(request.state, "workload_identity_config"), "workload_pool")
    autopilot = request.state.get("enable_autopilot") is True
    if pool or autopilot:
        project = pool.removesuffix(".svc.id.goog") or request.project
        request.cloud.set_note(workload_pool_note(project), "1")


@rule(LifecycleEvent.CREATE, "google_container_cluster", source=_RANGES)
def named_ranges_exist_in_the_subnetwork(request: ObjectRequest) -> None:
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


@rule(LifecycleEvent.CREATE, "google_container_cluster", source=_POSTURE)
def workloads_are_no_longer_scanned(request: ObjectRequest) -> None:
    """A cluster cannot ask for the vulnerability scanning of workloads, which was shut down in 2025."""
    mode = text(block(request.state, "security_posture_config"), "vulnerability_mode")
    if mode == "VULNERABILITY_BASIC":
        raise request.error(400, "Vulnerability scanning is no longer supported.", "badRequest")


@rule(LifecycleEvent.CREATE, "google_gke_hub_feature", source=_MANAGEMENT)
def config_sync_has_no_automatic_management(request: ObjectRequest) -> None:
    """Config Sync's field `management` takes no automatic management any more."""
    defaults = block(block(request.state, "fleet_default_member_config"), "configmanagement")
    if text(defaults, "management") == "MANAGEMENT_AUTOMATIC":
        what = "AutomaticManagement is no longer supported on the gkehub api server for the ConfigManagement feature"
        raise request.error(400, what, "badRequest")


def _cluster_wanted(prior: State | None, wanted: State, given: State) -> State:
    if wanted.get("enable_autopilot") is True and not (prior or {}).get("enable_autopilot"):
        return {**wanted, "enable_intranode_visibility": True, "networking_mode": "VPC_NATIVE"}
    return wanted


# What GKE tells of features that are off. Source: `null_then_set` of the recorded creation.
_OFF: State = {
    "binary_authorization": [{"enabled": False, "evaluation_mode": ""}],
    "network_policy": [{"enabled": False, "provider": ""}],
    "secret_manager_config": [{"enabled": False, "rotation_config": []}],
    "secret_sync_config": [{"enabled": False, "rotation_config": []}],
}


def _cluster_keeps(state: State) -> State:
    """The least version that was asked for is not read back; features that are off are told of."""
    off = {name: state.get(name) or block for name, block in _OFF.items() if name in state}
    return {**state, **off, "min_master_version": state.get("min_master_version") or None}


def _cluster_replaces(prior: State, planned: State) -> list[Path]:
    """Subsetting of internal load balancers cannot be taken back. Source: GKE's documentation of it."""
    was, will = prior.get("enable_l4_ilb_subsetting"), planned.get("enable_l4_ilb_subsetting")
    return [("enable_l4_ilb_subsetting",)] if was is True and will is False else []


def _added_by_gke(situation: Situation) -> bool:
    """Labels that GKE adds to nodes by itself, and the count of labels when these are all."""
    key = str(situation.steps[-1])
    if key.startswith(("goog-gke-", "goog-terraform-")):
        return situation.new == ""
    return False


_NODE_CONFIG = {"node_config.resource_labels": _added_by_gke}
PLANS = {
    "google_container_cluster": TypeRules(
        same=_NODE_CONFIG, adjust=_cluster_wanted, replaces=_cluster_replaces, keeps=_cluster_keeps
    ),
    "google_container_node_pool": TypeRules(same=_NODE_CONFIG),
}
