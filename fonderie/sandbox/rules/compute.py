"""Networks in use do not go, ranges do not overlap, addresses belong to somebody.

Source: Compute Engine's "VPC networks" and "Subnets" pages, and its error RESOURCE_IN_USE_BY_ANOTHER_RESOURCE.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from fonderie.sandbox.lifecycle.world import Request
from fonderie.sandbox.rules.rulebook import Event, rule

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


@rule(Event.DELETE, *_HELD_BY, source=_IN_USE)
def what_is_in_use_does_not_go(request: Request) -> None:
    """A network, subnetwork, address or policy that another resource uses is refused."""
    if not request.fresh:
        return
    holders = _HELD_BY[request.type]
    users = [path for type, path in request.cloud.users_of(request.path) if type.startswith(holders)]
    users = [path for path in users if path != request.path] or request.world.waves.still_using(request.path)
    if users:
        raise request.error(
            400,
            f"The {request.type.rsplit('_', 1)[-1]} resource '{request.path}' is already being used by '{users[0]}'",
            "resourceInUseByAnotherResource",
            verb="deleting",
        )


@rule(Event.CREATE, "google_compute_subnetwork", source=_RANGES)
def ranges_of_a_network_do_not_overlap(request: Request) -> None:
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


def _network(request: Request, state: Mapping[str, Any]) -> str:
    return request.world.names.refer("google_compute_network", str(state.get("network") or ""), request.values)


def _ranges(state: Mapping[str, Any]) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    secondary = state.get("secondary_ip_range")
    blocks = [state, *(secondary if isinstance(secondary, list) else [])]
    for one in blocks:
        written = one.get("ip_cidr_range") if isinstance(one, dict) else None
        if isinstance(written, str) and written:
            yield ipaddress.ip_network(written, strict=False)
