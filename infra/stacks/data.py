"""What the platform remembers: buckets, images, datasets, secrets."""

from __future__ import annotations

from infra import names
from infra.bindings import App
from infra.constructs.bucket import Bucket
from infra.constructs.registry import ImageRegistry
from infra.names import Identity, Stack
from infra.settings import Backend, Environment
from infra.stacks.base import EnvironmentStack


class DataStack(EnvironmentStack):
    """Buckets and the image registry."""

    name = Stack.DATA

    def __init__(self, app: App, env: Environment, *, backend: Backend) -> None:
        super().__init__(app, env, backend=backend)
        pipelines, serving = names.member(env, Identity.PIPELINES), names.member(env, Identity.SERVING)
        Bucket(self, "models", env=env, which=names.Bucket.MODELS, readers=[serving], writers=[pipelines])
        ImageRegistry(
            self,
            "images",
            env=env,
            readers=[pipelines, serving, names.member(env, Identity.NODES)],
            writers=[names.member(env, Identity.BUILDER)],
        )
