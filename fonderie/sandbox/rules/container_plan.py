"""GKE's plans: what a cluster of Autopilot sets by itself, and features that cannot be switched off again."""

from __future__ import annotations

from fonderie.sandbox.lifecycle.interface import Path, State
from fonderie.sandbox.planning.type_rules import Situation, TypeRules


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
