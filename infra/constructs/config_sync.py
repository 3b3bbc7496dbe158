"""Config Sync: the cluster keeps itself equal to the manifests that CI has rendered."""

from __future__ import annotations

from typing import Any

from imports.google.gke_hub_feature import GkeHubFeature
from imports.google.gke_hub_feature_membership import (
    GkeHubFeatureMembership,
    GkeHubFeatureMembershipConfigmanagement,
    GkeHubFeatureMembershipConfigmanagementConfigSync,
    GkeHubFeatureMembershipConfigmanagementConfigSyncOci,
)
from infra import names
from infra.bindings import Construct
from infra.settings import Environment


class ConfigSync(Construct):
    """The fleet's feature, and what `cluster`, which joins the fleet, has of it.

    It pulls an artefact by digest from the registry of images, as an identity of its own: nothing is rendered in the
    cluster and there is no token. A new digest is an update in place. Without an artefact it is installed and has
    nothing to do. What drifts on the cluster is put back. There is no fleet's default: a cluster takes one only when it
    joins, and then the provider refuses to write the cluster's own (docs/decisions). Sources: Config Sync, "Sync OCI
    artifacts from Artifact Registry"; hashicorp/terraform-provider-google #21049.
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment, cluster: Any) -> None:
        super().__init__(scope, id)
        manifests = env.kubeflow.manifests and GkeHubFeatureMembershipConfigmanagementConfigSyncOci(
            sync_repo=env.kubeflow.manifests,
            policy_dir=".",
            secret_type="gcpserviceaccount",
            gcp_service_account_email=names.email(env, names.IdentityName.SYNC),
        )
        feature = GkeHubFeature(self, "Default", name="configmanagement", location="global")
        GkeHubFeatureMembership(
            self,
            "membership",
            feature=feature.name,
            location="global",
            membership=cluster.fleet.membership_id,
            membership_location=cluster.fleet.membership_location,
            configmanagement=GkeHubFeatureMembershipConfigmanagement(
                config_sync=GkeHubFeatureMembershipConfigmanagementConfigSync(
                    enabled=True, prevent_drift=True, source_format="unstructured", oci=manifests or None
                ),
            ),
        )
