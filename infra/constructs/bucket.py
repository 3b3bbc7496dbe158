"""A bucket and who may read and write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imports.google.storage_bucket import (
    StorageBucket,
    StorageBucketEncryption,
    StorageBucketLifecycleRule,
    StorageBucketLifecycleRuleAction,
    StorageBucketLifecycleRuleCondition,
    StorageBucketSoftDeletePolicy,
    StorageBucketVersioning,
)
from imports.google.storage_bucket_iam_member import StorageBucketIamMember
from infra import names
from infra.bindings import Construct
from infra.constructs.grants import grant_each
from infra.constructs.protection import deletion_policy, never_destroyed
from infra.settings import Environment

DAY_S = 86_400


class Bucket(Construct):
    """Private, versioned bucket: uniform access, no public access, old versions and (optionally) old objects expire.

    With `expires` only objects whose names begin so expire with age, and what lies beside them stays.
    A `retained` bucket is never destroyed, in no environment. `versions` of an overwritten object are kept.
    Source: Cloud Storage, "Uniform bucket-level access", "Object Versioning", "Soft delete".
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: Environment,
        which: names.BucketName,
        readers: Sequence[str] = (),
        writers: Sequence[str] = (),
        expire_after_days: int | None = None,
        expires: str = "",
        versions: int | None = None,
        key: names.KeyName = names.KeyName.DATA,
        retained: bool = False,
        after: Sequence[Any] = (),
    ) -> None:
        super().__init__(scope, id)
        key_path = names.customer_key(env, key)
        self.bucket = StorageBucket(
            self,
            "Default",
            name=names.bucket(env, which),
            location=env.region.upper(),
            storage_class="STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            versioning=StorageBucketVersioning(enabled=True),
            soft_delete_policy=StorageBucketSoftDeletePolicy(
                retention_duration_seconds=0
                if env.ephemeral and not retained
                else env.retention.soft_delete_days * DAY_S
            ),
            lifecycle_rule=_lifecycle(versions or env.retention.noncurrent_versions, expire_after_days, expires),
            encryption=StorageBucketEncryption(default_kms_key_name=key_path) if key_path else None,
            force_destroy=env.ephemeral and not retained,
            deletion_policy="PREVENT" if retained else deletion_policy(env),
            lifecycle=never_destroyed() if retained else None,
            depends_on=list(after) or None,
        )
        binding, on = StorageBucketIamMember, {"bucket": self.bucket.name}
        grant_each(self, "reader", binding, readers, role="roles/storage.objectViewer", **on)
        grant_each(self, "writer", binding, writers, role="roles/storage.objectUser", **on)


def _lifecycle(versions: int, expire_after_days: int | None, expires: str) -> list[StorageBucketLifecycleRule]:
    conditions = [StorageBucketLifecycleRuleCondition(num_newer_versions=versions, with_state="ARCHIVED")]
    if expire_after_days:
        prefix = [expires] if expires else None
        conditions.append(
            StorageBucketLifecycleRuleCondition(age=expire_after_days, with_state="LIVE", matches_prefix=prefix)
        )
    return [
        StorageBucketLifecycleRule(action=StorageBucketLifecycleRuleAction(type="Delete"), condition=condition)
        for condition in conditions
    ]
