"""Compute Engine: networks in use do not go, ranges do not overlap but grow, disks do not shrink.

Source: Compute Engine's "VPC networks" and "Subnets" pages, and its error RESOURCE_IN_USE_BY_ANOTHER_RESOURCE."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from fonderie.sandbox.lifecycle.interface import UNKNOWN, Diagnostic, Path, State
from fonderie.sandbox.lifecycle.world import ObjectRequest
from fonderie.sandbox.planning.type_rules import Situation, TypeRules
from fonderie.sandbox.planning.validation import error
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

_IN_USE = "https://cloud.google.com/vpc/docs/create-modify-vpc-networks#delete-network"
_RANGES = "https://cloud.google.com/vpc/docs/subnets#ipv4-ranges"
_HELD_BY = {
    "google_compute_network": ("google_compute_", "google_container_", "google_sql_", "google_workbench_"),
    "google_compute_subnetwork": ("google_compute_", "google_container_", "google_workbench_"),
    "google_compute_address": ("google_compute_",),
    "google_compute_global_address": ("google_compute_", "google_service_networking_"),
    "google_compute_security_policy": ("google_compute_",),
    "google_compute_resource_policy": ("google_compute_",),
}


@rule(LifecycleEvent.DELETE, *_HELD_BY, source=_IN_USE)
def what_is_in_use_does_not_go(request: ObjectRequest) -> None:
    """A network, subnetwork, address or policy that another resource uses is refused."""
    if not request.fresh:
        return
    holders = _HELD_BY[request.type]
    users = [path for type, path in request.cloud.users_of(request.path) if type.startswith(holders)]
    users = [path for path in users if path != request.path] or request.world.settling.still_using(request.path)
    if users:
        raise request.error(
            400,
            f"The {request.type.rsplit('_', 1)[-1]} resource '{request.path}' is already being used by '{users[0]}'",
            "resourceInUseByAnotherResource",
            verb="deleting",
        )


@rule(LifecycleEvent.CREATE, "google_compute_subnetwork", source=_RANGES)
def ranges_of_a_network_do_not_overlap(request: ObjectRequest) -> None:
    """No two ranges of a network's subnetworks may overlap, secondary ones included."""
    mine = list(_ranges(request.state))
    network = _network(request, request.state)
    for other in request.cloud.things("google_compute_subnetwork", project=request.project):
        if other.path == request.path or _network(request, other.attributes) != network:
            continue
        for one in mine:
            for taken in _ranges(other.attributes):
                if one.version == taken.version and one.overlaps(taken):
                    raise request.error(
                        400,
                        f"Invalid IPCidrRange: {one} conflicts with existing subnetwork '{other.path}' ({taken}).",
                        "badRequest",
                    )


def _network(request: ObjectRequest, state: Mapping[str, Any]) -> str:
    return request.world.names.refer("google_compute_network", str(state.get("network") or ""), request.values)


def _ranges(state: Mapping[str, Any]) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    secondary = state.get("secondary_ip_range")
    blocks = [state, *(secondary if isinstance(secondary, list) else [])]
    for one in blocks:
        written = one.get("ip_cidr_range") if isinstance(one, dict) else None
        if isinstance(written, str) and written:
            yield ipaddress.ip_network(written, strict=False)


# Numbers for private use. Source: RFC 6996; and the 16550 that Google keeps for partner interconnects.
_PRIVATE_NUMBERS = ((64512, 65534), (4200000000, 4294967294), (16550, 16550))


def grows(old: Any, new: Any) -> bool:
    """Whether the range `new` holds all of `old`. Source: "Expand a primary IPv4 range" of the VPC documentation."""
    try:
        before, after = ipaddress.ip_network(old, strict=False), ipaddress.ip_network(new, strict=False)
    except ValueError:
        return True
    return before.version == after.version and before.subnet_of(after)  # type: ignore[arg-type]  # versions compared


def _subnetwork_replaces(prior: State, planned: State) -> list[Path]:
    old, new = prior.get("ip_cidr_range"), planned.get("ip_cidr_range")
    return [] if new is UNKNOWN or not old or not new or grows(old, new) else [("ip_cidr_range",)]


def _subnetwork_wanted(prior: State | None, wanted: State, given: State) -> State:
    """Secondary ranges in another order are the same; none are as they were, unless told to send none."""
    old, new = (prior or {}).get("secondary_ip_range"), wanted.get("secondary_ip_range")
    if isinstance(old, list) and isinstance(new, list) and _subnet_ranges(old) == _subnet_ranges(new):
        return {**wanted, "secondary_ip_range": old}
    if given.get("send_secondary_ip_range_if_empty") is True and not given.get("secondary_ip_range"):
        return {**wanted, "secondary_ip_range": []}
    return wanted


def _subnet_ranges(listed: list[Any]) -> set[tuple[Any, Any]] | None:
    if any(one is UNKNOWN for one in listed):
        return None
    return {(one.get("range_name"), one.get("ip_cidr_range")) for one in listed}


def _check_router(config: State) -> list[Diagnostic]:
    found = []
    for bgp in config.get("bgp") or []:
        number = bgp.get("asn") if bgp is not UNKNOWN else None
        if isinstance(number, int) and not any(low <= number <= high for low, high in _PRIVATE_NUMBERS):
            words = f'expected "bgp.0.asn" to be a RFC6996-compliant Local ASN: got {number}'
            found.append(error(words, path=("bgp", 0, "asn")))
    return found


def _same_source_ranges(situation: Situation) -> bool:
    """Without any source a firewall lets everybody in, and says so."""
    prior, given = situation.prior.get("source_ranges"), situation.given.get("source_ranges")
    return prior == ["0.0.0.0/0"] and not given


def _same_log_config(situation: Situation) -> bool:
    """The older switch makes the block."""
    return situation.given.get("enable_logging") is True and not situation.given.get("log_config")


PLANS = {
    "google_compute_firewall": TypeRules(same={"source_ranges": _same_source_ranges, "log_config": _same_log_config}),
    "google_compute_subnetwork": TypeRules(adjust=_subnetwork_wanted, replaces=_subnetwork_replaces),
    "google_compute_router": TypeRules(check=_check_router),
}
