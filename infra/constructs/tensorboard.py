"""Vertex AI TensorBoard: curves of training runs."""

from __future__ import annotations

from imports.google.vertex_ai_tensorboard import VertexAiTensorboard, VertexAiTensorboardEncryptionSpec
from infra import names
from infra.bindings import Construct
from infra.constructs.protection import deletion_policy
from infra.settings import Environment


class Tensorboard(Construct):
    """One TensorBoard for all models of the environment."""

    def __init__(self, scope: Construct, id: str, *, env: Environment) -> None:
        super().__init__(scope, id)
        key = names.customer_key(env, names.KeyName.DATA)
        self.tensorboard = VertexAiTensorboard(
            self,
            "Default",
            display_name=names.resource(env, "tensorboard"),
            description="Curves of training runs",
            region=env.region,
            encryption_spec=VertexAiTensorboardEncryptionSpec(kms_key_name=key) if key else None,
            deletion_policy=deletion_policy(env),
        )
