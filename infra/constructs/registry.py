"""The Docker registry and who may pull and push."""

from __future__ import annotations

from collections.abc import Sequence

from imports.google.artifact_registry_repository import (
    ArtifactRegistryRepository,
    ArtifactRegistryRepositoryCleanupPolicies,
    ArtifactRegistryRepositoryCleanupPoliciesCondition,
    ArtifactRegistryRepositoryCleanupPoliciesMostRecentVersions,
    ArtifactRegistryRepositoryDockerConfig,
    ArtifactRegistryRepositoryVulnerabilityScanningConfig,
)
from imports.google.artifact_registry_repository_iam_member import ArtifactRegistryRepositoryIamMember
from infra import names
from infra.bindings import Construct
from infra.constructs.grants import grant_each
from infra.constructs.protection import deletion_policy
from infra.settings import Environment

DAY_S = 86_400
KEPT_IMAGES = 20


class ImageRegistry(Construct):
    """Docker registry: a tag never moves, images are scanned, untagged ones go, the most recent are always kept.

    Source: Artifact Registry, "Configure cleanup policies", "Immutable image tags".
    """

    def __init__(
        self, scope: Construct, id: str, *, env: Environment, readers: Sequence[str] = (), writers: Sequence[str] = ()
    ) -> None:
        super().__init__(scope, id)
        self.repository = ArtifactRegistryRepository(
            self,
            "Default",
            repository_id=names.images(env),
            location=env.region,
            format="DOCKER",
            description="Images of every environment that pulls from here, pinned by digest where they run",
            docker_config=ArtifactRegistryRepositoryDockerConfig(immutable_tags=True),
            vulnerability_scanning_config=ArtifactRegistryRepositoryVulnerabilityScanningConfig(
                enablement_config="INHERITED"
            ),
            cleanup_policies=_cleanup(env.retention.untagged_images_days),
            cleanup_policy_dry_run=False,
            kms_key_name=names.customer_key(env, names.KeyName.DATA),
            deletion_policy=deletion_policy(env),
        )
        where = {"location": env.region, "repository": self.repository.name}
        binding = ArtifactRegistryRepositoryIamMember
        grant_each(self, "reader", binding, readers, role="roles/artifactregistry.reader", **where)
        grant_each(self, "writer", binding, writers, role="roles/artifactregistry.writer", **where)


def _cleanup(untagged_days: int) -> list[ArtifactRegistryRepositoryCleanupPolicies]:
    return [
        ArtifactRegistryRepositoryCleanupPolicies(
            id="delete-untagged",
            action="DELETE",
            condition=ArtifactRegistryRepositoryCleanupPoliciesCondition(
                tag_state="UNTAGGED", older_than=f"{untagged_days * DAY_S}s"
            ),
        ),
        ArtifactRegistryRepositoryCleanupPolicies(
            id="keep-most-recent",
            action="KEEP",
            most_recent_versions=ArtifactRegistryRepositoryCleanupPoliciesMostRecentVersions(keep_count=KEPT_IMAGES),
        ),
    ]
