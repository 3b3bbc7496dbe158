"""The GKE cluster: private, its pods identities of their own, its secrets encrypted, upgraded in its window only."""

from __future__ import annotations

from typing import Any

from imports.google.container_cluster import (
    ContainerCluster,
    ContainerClusterAddonsConfig,
    ContainerClusterAddonsConfigGcsFuseCsiDriverConfig,
    ContainerClusterBinaryAuthorization,
    ContainerClusterControlPlaneEndpointsConfig,
    ContainerClusterControlPlaneEndpointsConfigDnsEndpointConfig,
    ContainerClusterCostManagementConfig,
    ContainerClusterDatabaseEncryption,
    ContainerClusterFleet,
    ContainerClusterIpAllocationPolicy,
    ContainerClusterLoggingConfig,
    ContainerClusterMaintenancePolicy,
    ContainerClusterMaintenancePolicyRecurringWindow,
    ContainerClusterMasterAuth,
    ContainerClusterMasterAuthClientCertificateConfig,
    ContainerClusterMasterAuthorizedNetworksConfig,
    ContainerClusterMasterAuthorizedNetworksConfigCidrBlocks,
    ContainerClusterMonitoringConfig,
    ContainerClusterMonitoringConfigManagedPrometheus,
    ContainerClusterNodeConfig,
    ContainerClusterNodeConfigShieldedInstanceConfig,
    ContainerClusterNodeConfigWorkloadMetadataConfig,
    ContainerClusterPrivateClusterConfig,
    ContainerClusterReleaseChannel,
    ContainerClusterSecurityPostureConfig,
    ContainerClusterVerticalPodAutoscaling,
    ContainerClusterWorkloadIdentityConfig,
)
from infra import names
from infra.bindings import Construct, TerraformResourceLifecycle
from infra.settings import Environment

# The window recurs from this Saturday on. Any past date does: only its hour and the recurrence count.
FIRST_DAY = "2026-01-03"
WINDOW_HOURS = 6


class Cluster(Construct):
    """Regional cluster without public addresses, on Dataplane V2, in a fleet; node pools are constructs of their own.

    The pool that GKE insists on making first is removed at once; while it lives it has the nodes' identity, for
    Compute Engine's default account is never used. Source: GKE, "Harden your cluster's security".
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id)
        self.cluster = ContainerCluster(
            self,
            "Default",
            name=names.cluster(env),
            location=env.region,
            description=f"Pipelines and serving of the {env.name} environment",
            deletion_protection=env.protected,
            resource_labels=env.all_labels,
            **_nodes(env),
            **_network(env),
            **_security(env),
            **_operations(env),
        )


def _nodes(env: Environment) -> dict[str, Any]:
    return {
        "remove_default_node_pool": True,
        "initial_node_count": 1,
        "node_config": ContainerClusterNodeConfig(
            service_account=names.email(env, names.IdentityName.NODES),
            shielded_instance_config=ContainerClusterNodeConfigShieldedInstanceConfig(
                enable_secure_boot=True, enable_integrity_monitoring=True
            ),
            workload_metadata_config=ContainerClusterNodeConfigWorkloadMetadataConfig(mode="GKE_METADATA"),
        ),
        # It describes the first pool, which is gone: whatever is read back of it says nothing.
        "lifecycle": TerraformResourceLifecycle(ignore_changes=["node_config", "initial_node_count"]),
    }


def _network(env: Environment) -> dict[str, Any]:
    blocks = ContainerClusterMasterAuthorizedNetworksConfigCidrBlocks
    return {
        "network": names.network_path(env),
        "subnetwork": names.subnet_path(env),
        "networking_mode": "VPC_NATIVE",
        "datapath_provider": "ADVANCED_DATAPATH",
        "enable_intranode_visibility": True,
        "ip_allocation_policy": ContainerClusterIpAllocationPolicy(
            cluster_secondary_range_name=names.PODS_RANGE, services_secondary_range_name=names.SERVICES_RANGE
        ),
        # People reach it by name from anywhere: Google asks IAM first (container.clusters.connect), and there is no
        # public address. Source: GKE, "Access the control plane: DNS-based endpoint".
        "control_plane_endpoints_config": ContainerClusterControlPlaneEndpointsConfig(
            dns_endpoint_config=ContainerClusterControlPlaneEndpointsConfigDnsEndpointConfig(
                allow_external_traffic=True
            )
        ),
        "private_cluster_config": ContainerClusterPrivateClusterConfig(
            enable_private_nodes=True,
            enable_private_endpoint=True,
            master_ipv4_cidr_block=env.network.control_plane,
        ),
        "master_authorized_networks_config": ContainerClusterMasterAuthorizedNetworksConfig(
            gcp_public_cidrs_access_enabled=False,
            cidr_blocks=[blocks(cidr_block=env.network.nodes, display_name="nodes")],
        ),
    }


def _security(env: Environment) -> dict[str, Any]:
    return {
        "enable_shielded_nodes": True,
        "enable_legacy_abac": False,
        "workload_identity_config": ContainerClusterWorkloadIdentityConfig(workload_pool=names.workload_pool(env)),
        "database_encryption": ContainerClusterDatabaseEncryption(
            state="ENCRYPTED", key_name=names.key_path(env, names.KeyName.CLUSTER)
        ),
        "master_auth": ContainerClusterMasterAuth(
            client_certificate_config=ContainerClusterMasterAuthClientCertificateConfig(issue_client_certificate=False)
        ),
        "binary_authorization": ContainerClusterBinaryAuthorization(evaluation_mode="PROJECT_SINGLETON_POLICY_ENFORCE"),
        "security_posture_config": ContainerClusterSecurityPostureConfig(mode="BASIC"),
    }


def _operations(env: Environment) -> dict[str, Any]:
    start = env.cluster.maintenance_hour
    return {
        "release_channel": ContainerClusterReleaseChannel(channel=env.cluster.release_channel),
        "maintenance_policy": ContainerClusterMaintenancePolicy(
            recurring_window=ContainerClusterMaintenancePolicyRecurringWindow(
                start_time=f"{FIRST_DAY}T{start:02}:00:00Z",
                end_time=f"{FIRST_DAY}T{start + WINDOW_HOURS:02}:00:00Z",
                recurrence=f"FREQ=WEEKLY;BYDAY={','.join(env.cluster.maintenance_days)}",
            )
        ),
        "fleet": ContainerClusterFleet(project=env.project_id),
        "logging_config": ContainerClusterLoggingConfig(enable_components=["SYSTEM_COMPONENTS", "WORKLOADS"]),
        "monitoring_config": ContainerClusterMonitoringConfig(
            enable_components=["SYSTEM_COMPONENTS"],
            managed_prometheus=ContainerClusterMonitoringConfigManagedPrometheus(enabled=True),
        ),
        "cost_management_config": ContainerClusterCostManagementConfig(enabled=True),
        "vertical_pod_autoscaling": ContainerClusterVerticalPodAutoscaling(enabled=True),
        "addons_config": ContainerClusterAddonsConfig(
            gcs_fuse_csi_driver_config=ContainerClusterAddonsConfigGcsFuseCsiDriverConfig(enabled=True)
        ),
    }
