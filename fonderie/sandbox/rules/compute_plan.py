"""Compute Engine's plans: ranges of subnets grow, routers have private numbers, disks do not shrink."""

from __future__ import annotations

import ipaddress
from typing import Any

from fonderie.sandbox.lifecycle.interface import UNKNOWN, Diagnostic, Path, State
from fonderie.sandbox.planning.type_rules import Situation, TypeRules
from fonderie.sandbox.planning.validation import error

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
    if isinstance(old, list) and isinstance(new, list) and _ranges(old) == _ranges(new):
        return {**wanted, "secondary_ip_range": old}
    if given.get("send_secondary_ip_range_if_empty") is True and not given.get("secondary_ip_range"):
        return {**wanted, "secondary_ip_range": []}
    return wanted


def _ranges(listed: list[Any]) -> set[tuple[Any, Any]] | None:
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
