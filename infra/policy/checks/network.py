"""What reaches what: firewall, network, and the cluster's ways in."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from infra.policy.checks.subject import CheckSubject, at, blocks, word

PRIVATE = [ipaddress.ip_network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
# Google's own: Identity-Aware Proxy, and health checks. Source: VPC, "Firewall rules", IAP "TCP forwarding".
GOOGLES = [ipaddress.ip_network(block) for block in ("35.235.240.0/20", "35.191.0.0/16", "130.211.0.0/22")]
Range = ipaddress.IPv4Network | ipaddress.IPv6Network


def _range(value: object) -> Range | None:
    try:
        return ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return None


def _within(value: object, allowed: list[Range]) -> bool:
    """Whether a range lies in one of the `allowed`; a reference, which is not a range, does not."""
    found = _range(value)
    return found is not None and any(
        isinstance(found, type(block)) and found.subnet_of(block)  # type: ignore[arg-type]  # of the same version
        for block in allowed
    )


def firewall(subject: CheckSubject) -> Iterator[str]:
    """A firewall lets in private ranges and Google's proxy only, says to whom, and by which ports from outside."""
    if subject.type != "google_compute_firewall" or word(subject.values.get("direction", "INGRESS")) != "INGRESS":
        return
    allows = blocks(subject.values, "allow")
    if not allows or word(subject.values.get("disabled", False)) == "true":
        return
    sources = at(subject.values, "source_ranges")
    if not sources and not at(subject.values, "source_tags") and not at(subject.values, "source_service_accounts"):
        yield "no source is set: open to everybody"
    for source in sources:
        if not _within(source, PRIVATE + GOOGLES):
            yield f"allows {source}"
    outside = [source for source in sources if not _within(source, PRIVATE)]
    for allow in allows:
        if str(allow.get("protocol", "all")).lower() == "all":
            yield "allows every protocol"
        elif outside and not allow.get("ports"):
            yield f"lets {', '.join(map(str, outside))} in by every port"
    if not at(subject.values, "target_tags") and not at(subject.values, "target_service_accounts"):
        yield "no target is set: applies to every machine of the network"
    if outside and not blocks(subject.values, "log_config"):
        yield "what it allows from outside is not logged"


def network(subject: CheckSubject) -> Iterator[str]:
    """The network has the subnets we made and no other, and gives nothing a public address."""
    if (
        subject.type == "google_compute_network"
        and word(subject.values.get("auto_create_subnetworks", True)) != "false"
    ):
        yield "auto_create_subnetworks: a subnet in every region, open to all others"
    if subject.type == "google_compute_subnetwork":
        if word(subject.values.get("private_ip_google_access", False)) != "true":
            yield "private_ip_google_access is off: Google is reached through the internet"
        if not blocks(subject.values, "log_config"):
            yield "flows are not logged"
        if at(subject.values, "ipv6_access_type") == ["EXTERNAL"]:
            yield "ipv6_access_type = EXTERNAL: machines have public addresses"
    if subject.type == "google_compute_router_nat" and [
        word(one) for one in at(subject.values, "log_config.enable")
    ] != ["true"]:
        yield "failed translations are not logged"


def control_plane(subject: CheckSubject) -> Iterator[str]:
    """The cluster's control plane and nodes have no public address, and only private ranges may ask it by address.

    Its name (the DNS endpoint) is another thing: Google's front end asks IAM before a request reaches the cluster.
    """
    if subject.type != "google_container_cluster":
        return
    for switch in ("enable_private_nodes", "enable_private_endpoint"):
        if [word(one) for one in at(subject.values, f"private_cluster_config.{switch}")] != ["true"]:
            yield f"private_cluster_config.{switch} is not true"
    authorised = "master_authorized_networks_config"
    if not blocks(subject.values, authorised):
        yield f"no {authorised}: anyone who reaches it may connect"
    ranges = at(subject.values, f"{authorised}.cidr_blocks.cidr_block")
    if len(ranges) < len(at(subject.values, f"{authorised}.cidr_blocks")):
        yield f"{authorised}: a block has no range"
    for each in ranges:
        if not _within(each, PRIVATE):
            yield f"{authorised} allows {each}"
    if "true" in map(word, at(subject.values, f"{authorised}.gcp_public_cidrs_access_enabled")):
        yield "gcp_public_cidrs_access_enabled: every machine in Google Cloud may connect"
    for each in ("tokens", "certs"):
        switch = f"control_plane_endpoints_config.dns_endpoint_config.enable_k8s_{each}_via_dns"
        if "true" in map(word, at(subject.values, switch)):
            yield f"{switch}: a credential of Kubernetes' own connects from anywhere, without IAM"
