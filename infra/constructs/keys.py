"""Encryption keys of the environment (CMEK)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imports.google.kms_crypto_key import KmsCryptoKey
from imports.google.kms_crypto_key_iam_member import KmsCryptoKeyIamMember
from imports.google.kms_key_ring import KmsKeyRing
from infra import names
from infra.bindings import Construct
from infra.constructs.grants import grant_each
from infra.constructs.protection import never_destroyed
from infra.settings import Environment

ROTATION = f"{90 * 86_400}s"
ENCRYPTER = "roles/cloudkms.cryptoKeyEncrypterDecrypter"


class KeyRing(Construct):
    """A ring with every key of `names.KeyName`, rotated each 90 days, never destroyed.

    Google keeps rings and keys for ever and refuses their names a second time, so they live in the bootstrap stack.
    Source: Cloud KMS, "Object hierarchy" and "Key rotation".
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment, after: Sequence[Any] = ()) -> None:
        super().__init__(scope, id)
        ring = KmsKeyRing(
            self,
            "Default",
            name=names.key_ring(env),
            location=env.region,
            lifecycle=never_destroyed(),
            depends_on=list(after) or None,
        )
        self.keys = {
            key: KmsCryptoKey(
                self,
                key,
                name=key,
                key_ring=ring.id,
                purpose="ENCRYPT_DECRYPT",
                rotation_period=ROTATION,
                lifecycle=never_destroyed(),
            )
            for key in names.KeyName
        }


def grant_encryption(
    scope: Construct, env: Environment, key: names.KeyName, agents: Sequence[names.AgentName], *, after: Sequence[Any]
) -> list[Any]:
    """Service agents that may use a key; the agents must exist, the key may be another stack's."""
    return grant_each(
        scope,
        f"{key}-encrypter",
        KmsCryptoKeyIamMember,
        [names.agent(env, agent) for agent in agents],
        role=ENCRYPTER,
        crypto_key_id=names.key_path(env, key),
        depends_on=list(after) or None,
    )
