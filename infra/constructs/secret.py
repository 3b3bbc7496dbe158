"""A secret, never its value: a person or another system adds versions, Terraform's state never sees them."""

from __future__ import annotations

from collections.abc import Sequence

from imports.google.secret_manager_secret import (
    SecretManagerSecret,
    SecretManagerSecretReplication,
    SecretManagerSecretReplicationUserManaged,
    SecretManagerSecretReplicationUserManagedReplicas,
    SecretManagerSecretReplicationUserManagedReplicasCustomerManagedEncryption,
)
from imports.google.secret_manager_secret_iam_member import SecretManagerSecretIamMember
from infra import names
from infra.bindings import Construct
from infra.constructs.grants import grant_each
from infra.constructs.protection import deletion_policy
from infra.settings import Environment


class Secret(Construct):
    """A secret kept in the environment's region only; `readers` may read its value.

    Source: Secret Manager, "Choose a replication policy".
    """

    def __init__(
        self, scope: Construct, id: str, *, env: Environment, which: names.SecretName, readers: Sequence[str] = ()
    ) -> None:
        super().__init__(scope, id)
        key = names.customer_key(env, names.KeyName.SECRETS)
        encryption = SecretManagerSecretReplicationUserManagedReplicasCustomerManagedEncryption
        self.secret = SecretManagerSecret(
            self,
            "Default",
            secret_id=names.secret(env, which),
            replication=SecretManagerSecretReplication(
                user_managed=SecretManagerSecretReplicationUserManaged(
                    replicas=[
                        SecretManagerSecretReplicationUserManagedReplicas(
                            location=env.region,
                            customer_managed_encryption=encryption(kms_key_name=key) if key else None,
                        )
                    ]
                )
            ),
            deletion_protection=env.protected,
            deletion_policy=deletion_policy(env),
        )
        role = "roles/secretmanager.secretAccessor"
        grant_each(self, "reader", SecretManagerSecretIamMember, readers, role=role, secret_id=self.secret.id)
