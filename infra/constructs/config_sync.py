"""Config Sync: the cluster keeps itself equal to a folder of the repository."""

from __future__ import annotations

from imports.google.gke_hub_feature import (
    GkeHubFeature,
    GkeHubFeatureFleetDefaultMemberConfig,
    GkeHubFeatureFleetDefaultMemberConfigConfigmanagement,
    GkeHubFeatureFleetDefaultMemberConfigConfigmanagementConfigSync,
    GkeHubFeatureFleetDefaultMemberConfigConfigmanagementConfigSyncGit,
)
from infra.bindings import Construct
from infra.settings import Environment

FOLDER = "infra/kubernetes"


class ConfigSync(Construct):
    """The fleet's default: a cluster that joins afterwards gets it, so it comes before the cluster.

    What drifts on the cluster is put back. Source: Config Sync, "Configure fleet-level defaults".
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id)
        git = GkeHubFeatureFleetDefaultMemberConfigConfigmanagementConfigSyncGit(
            sync_repo=f"https://github.com/{env.git.repository}",
            sync_branch=env.git.branch,
            policy_dir=f"{FOLDER}/{env.name}",
            secret_type=env.git.sync_auth,
        )
        self.feature = GkeHubFeature(
            self,
            "Default",
            name="configmanagement",
            location="global",
            fleet_default_member_config=GkeHubFeatureFleetDefaultMemberConfig(
                configmanagement=GkeHubFeatureFleetDefaultMemberConfigConfigmanagement(
                    management="MANAGEMENT_AUTOMATIC",
                    config_sync=GkeHubFeatureFleetDefaultMemberConfigConfigmanagementConfigSync(
                        enabled=True, prevent_drift=True, source_format="unstructured", git=git
                    ),
                )
            ),
        )
