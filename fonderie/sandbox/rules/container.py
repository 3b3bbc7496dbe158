"""GKE: clusters bring the project's pool of Kubernetes identities, need ranges that exist, and join a fleet.

Source: GKE's "Workload Identity Federation" and "VPC-native clusters" pages."""

from __future__ import annotations

from fonderie.sandbox.cloud.cloud import CloudObject
from fonderie.sandbox.lifecycle.interface import ApiError, Path, State
from fonderie.sandbox.lifecycle.members import workload_pool_note
from fonderie.sandbox.lifecycle.world import ObjectRequest, block, text
from fonderie.sandbox.planning.type_rules import Situation, TypeRules
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_IDENTITIES = "https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity"
_POSTURE = "https://container.googleapis.com/$discovery/rest?version=v1"
_MANAGEMENT = "https://github.com/hashicorp/terraform-provider-google/pull/23849"
_MEMBERSHIPS = "https://gkehub.googleapis.com/$discovery/rest?version=v1"
_CONFLICT = "https://github.com/hashicorp/terraform-provider-google/issues/21049"
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


@rule(LifecycleEvent.CREATE, "google_gke_hub_feature", "google_gke_hub_feature_membership", source=_MANAGEMENT)
def config_sync_has_no_automatic_management(request: ObjectRequest) -> None:
    """Config Sync's field `management` takes no automatic management any more."""
    defaults = block(request.state, "fleet_default_member_config")
    if text(block(defaults or request.state, "configmanagement"), "management") == "MANAGEMENT_AUTOMATIC":
        what = "AutomaticManagement is no longer supported on the gkehub api server for the ConfigManagement feature"
        raise request.error(400, what, "badRequest")


@rule(LifecycleEvent.CREATE, "google_gke_hub_feature_membership", source=_MEMBERSHIPS)
def a_feature_is_set_for_members_of_the_fleet(request: ObjectRequest) -> None:
    """What a feature is to do on a cluster is said once the cluster is a member of the fleet."""
    if request.fresh and _member(request) is None:
        key = f"projects/{request.project}/locations/{_membership_location(request)}/memberships/{_membership(request)}"
        raise request.error(400, f"{key} is not a valid Membership in this project", "badRequest")


@rule(LifecycleEvent.CREATE, "google_gke_hub_feature_membership", source=_CONFLICT)
def a_fleets_default_is_not_written_over(request: ObjectRequest) -> None:
    """A cluster that has joined under a feature's fleet default has settings, which the provider does not create."""
    path = request.world.names.refer("google_gke_hub_feature", text(request.state, "feature"), request.values)
    feature = request.cloud.live("google_gke_hub_feature", path)
    if feature and feature.attributes.get("fleet_default_member_config") and _member(request):
        words = "Resource already exists - apply blocked by lifecycle params"
        raise ApiError.because(f"Error creating FeatureMembership: {words}")


def _membership(request: ObjectRequest) -> str:
    return text(request.state, "membership").rpartition("/")[2]


def _membership_location(request: ObjectRequest) -> str:
    return text(request.state, "membership_location") or "global"


def _member(request: ObjectRequest) -> CloudObject | None:
    """The cluster that joined under the membership's name, or a membership that was made by itself."""
    place = f"projects/{request.project}/locations/{_membership_location(request)}"
    cluster = request.cloud.live("google_container_cluster", f"{place}/clusters/{_membership(request)}")
    if cluster and block(cluster.attributes, "fleet"):
        return cluster
    return request.cloud.live("google_gke_hub_membership", f"{place}/memberships/{_membership(request)}")


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
