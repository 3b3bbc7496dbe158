"""Config Sync: the cluster keeps itself equal to the manifests that CI has rendered."""

from __future__ import annotations

from imports.google.gke_hub_feature import (
    GkeHubFeature,
    GkeHubFeatureFleetDefaultMemberConfig,
    GkeHubFeatureFleetDefaultMemberConfigConfigmanagement,
    GkeHubFeatureFleetDefaultMemberConfigConfigmanagementConfigSync,
    GkeHubFeatureFleetDefaultMemberConfigConfigmanagementConfigSyncOci,
)
from infra import names
from infra.bindings import Construct
from infra.settings import Environment


class ConfigSync(Construct):
    """The fleet's default: a cluster that joins afterwards gets it, so it comes before the cluster.

    It pulls an artefact by digest from the registry of images, as an identity of its own: nothing is rendered in the
    cluster and there is no token. Without an artefact it is installed and has nothing to do. What drifts on the
    cluster is put back. Sources: Config Sync, "Configure fleet-level defaults", "Sync OCI artifacts from Artifact
    Registry".
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id)
        manifests = env.kubeflow.manifests and GkeHubFeatureFleetDefaultMemberConfigConfigmanagementConfigSyncOci(
            sync_repo=env.kubeflow.manifests,
            policy_dir=".",
            secret_type="gcpserviceaccount",
            gcp_service_account_email=names.email(env, names.IdentityName.SYNC),
        )
        self.feature = GkeHubFeature(
            self,
            "Default",
            name="configmanagement",
            location="global",
            fleet_default_member_config=GkeHubFeatureFleetDefaultMemberConfig(
                configmanagement=GkeHubFeatureFleetDefaultMemberConfigConfigmanagement(
                    config_sync=GkeHubFeatureFleetDefaultMemberConfigConfigmanagementConfigSync(
                        enabled=True, prevent_drift=True, source_format="unstructured", oci=manifests or None
                    ),
                )
            ),
        )
