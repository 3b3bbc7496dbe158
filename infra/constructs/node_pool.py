"""A pool of nodes of the cluster."""

from __future__ import annotations

from typing import Any

from imports.google.container_node_pool import (
    ContainerNodePool,
    ContainerNodePoolAutoscaling,
    ContainerNodePoolManagement,
    ContainerNodePoolNodeConfig,
    ContainerNodePoolNodeConfigShieldedInstanceConfig,
    ContainerNodePoolNodeConfigTaint,
    ContainerNodePoolNodeConfigWorkloadMetadataConfig,
    ContainerNodePoolUpgradeSettings,
)
from infra import names
from infra.bindings import Construct
from infra.settings import Environment

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"  # what may be done is said by IAM, not by scopes
DISK_GB = 100


class NodePool(Construct):
    """Shielded, repaired and upgraded by themselves, with the nodes' own identity. Counts are totals over the zones.

    A `spot` pool starts from nothing and takes only what tolerates its taint.
    Source: GKE, "Spot VMs" and "About cluster autoscaling".
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: Environment,
        cluster: Any,
        pool: str,
        machine_type: str,
        min_nodes: int,
        max_nodes: int,
        spot: bool = False,
    ) -> None:
        super().__init__(scope, id)
        taint = ContainerNodePoolNodeConfigTaint(key=names.POOL_LABEL, value=pool, effect="NO_SCHEDULE")
        self.pool = ContainerNodePool(
            self,
            "Default",
            name=names.resource(env, pool),
            cluster=cluster.id,
            location=env.region,
            initial_node_count=0 if min_nodes == 0 else 1,
            autoscaling=ContainerNodePoolAutoscaling(
                total_min_node_count=min_nodes,
                total_max_node_count=max_nodes,
                location_policy="ANY" if spot else "BALANCED",
            ),
            management=ContainerNodePoolManagement(auto_repair=True, auto_upgrade=True),
            upgrade_settings=ContainerNodePoolUpgradeSettings(strategy="SURGE", max_surge=1, max_unavailable=0),
            node_config=ContainerNodePoolNodeConfig(
                machine_type=machine_type,
                spot=spot,
                disk_type="pd-balanced",
                disk_size_gb=DISK_GB,
                image_type="COS_CONTAINERD",
                service_account=names.email(env, names.IdentityName.NODES),
                oauth_scopes=[CLOUD_PLATFORM],
                labels={names.POOL_LABEL: pool},
                resource_labels=env.all_labels,
                tags=[names.NODE_TAG],
                taint=[taint] if spot else None,
                metadata={"disable-legacy-endpoints": "true"},
                boot_disk_kms_key=names.customer_key(env, names.KeyName.CLUSTER),
                shielded_instance_config=ContainerNodePoolNodeConfigShieldedInstanceConfig(
                    enable_secure_boot=True, enable_integrity_monitoring=True
                ),
                workload_metadata_config=ContainerNodePoolNodeConfigWorkloadMetadataConfig(mode="GKE_METADATA"),
            ),
        )
