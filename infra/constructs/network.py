"""The network: one VPC, one subnet, a way out, no way in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imports.google.compute_firewall import (
    ComputeFirewall,
    ComputeFirewallAllow,
    ComputeFirewallDeny,
    ComputeFirewallLogConfig,
)
from imports.google.compute_network import ComputeNetwork
from imports.google.compute_router import ComputeRouter
from imports.google.compute_router_nat import ComputeRouterNat, ComputeRouterNatLogConfig
from imports.google.compute_subnetwork import (
    ComputeSubnetwork,
    ComputeSubnetworkLogConfig,
    ComputeSubnetworkSecondaryIpRange,
)
from infra import names
from infra.bindings import Construct
from infra.constructs.protection import deletion_policy
from infra.settings import Environment

IAP = "35.235.240.0/20"  # where Identity-Aware Proxy's TCP forwarding comes from (IAP, "Using IAP for TCP forwarding")
EVERYWHERE = "0.0.0.0/0"
LAST = 65_534  # just before the network's implied rules


class Network(Construct):
    """Custom VPC with a subnet for nodes, pods and services; private Google access, flow logs, NAT, deny by default.

    Source: VPC, "Firewall rules"; GKE, "Creating a private cluster".
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment, after: Sequence[Any] = ()) -> None:
        super().__init__(scope, id)
        self.env = env
        self.network = ComputeNetwork(
            self,
            "Default",
            name=names.network(env),
            auto_create_subnetworks=False,
            routing_mode="REGIONAL",
            deletion_policy=deletion_policy(env),
            depends_on=list(after) or None,
        )
        self.subnet = ComputeSubnetwork(
            self,
            "nodes",
            name=names.subnet(env),
            region=env.region,
            network=self.network.id,
            ip_cidr_range=env.network.nodes,
            secondary_ip_range=[
                ComputeSubnetworkSecondaryIpRange(range_name=names.PODS_RANGE, ip_cidr_range=env.network.pods),
                ComputeSubnetworkSecondaryIpRange(range_name=names.SERVICES_RANGE, ip_cidr_range=env.network.services),
            ],
            private_ip_google_access=True,
            log_config=ComputeSubnetworkLogConfig(
                aggregation_interval="INTERVAL_10_MIN", flow_sampling=0.5, metadata="INCLUDE_ALL_METADATA"
            ),
            deletion_policy=deletion_policy(env),
        )
        self._way_out()
        self._firewall()

    def _way_out(self) -> None:
        router = ComputeRouter(
            self, "router", name=names.resource(self.env, "router"), region=self.env.region, network=self.network.id
        )
        ComputeRouterNat(
            self,
            "nat",
            name=names.resource(self.env, "nat"),
            region=self.env.region,
            router=router.name,
            nat_ip_allocate_option="AUTO_ONLY",
            source_subnetwork_ip_ranges_to_nat="ALL_SUBNETWORKS_ALL_IP_RANGES",
            log_config=ComputeRouterNatLogConfig(enable=True, filter="ERRORS_ONLY"),
        )

    def _firewall(self) -> None:
        logged = {"log_config": ComputeFirewallLogConfig(metadata="INCLUDE_ALL_METADATA")}
        network = {"network": self.network.id, "direction": "INGRESS"}
        ComputeFirewall(
            self,
            "deny-ingress",
            name=names.resource(self.env, "deny-ingress"),
            description="Nothing comes in that no other rule allows; said aloud so that it is logged",
            priority=LAST,
            source_ranges=[EVERYWHERE],
            deny=[ComputeFirewallDeny(protocol="all")],
            **network,
            **logged,
        )
        ComputeFirewall(
            self,
            "allow-iap",
            name=names.resource(self.env, "allow-iap"),
            description="SSH through Identity-Aware Proxy, which asks who it is",
            priority=1000,
            source_ranges=[IAP],
            allow=[ComputeFirewallAllow(protocol="tcp", ports=["22"])],
            target_tags=[names.NODE_TAG],
            **network,
            **logged,
        )
        ComputeFirewall(
            self,
            "allow-cluster",
            name=names.resource(self.env, "allow-cluster"),
            description="Nodes, pods and services among themselves",
            priority=1000,
            source_ranges=[self.env.network.nodes, self.env.network.pods],
            allow=[ComputeFirewallAllow(protocol=protocol) for protocol in ("tcp", "udp", "icmp")],
            target_tags=[names.NODE_TAG],
            **network,
        )
