"""A compiled pipeline as an object: what is deployed is what was reviewed."""

from __future__ import annotations

from imports.google.storage_bucket_object import StorageBucketObject
from infra import names
from infra.bindings import Construct, literal
from infra.settings import Environment
from infra.workloads import CompiledPipeline


class PipelineTemplate(Construct):
    """A compiled spec named by its content: a changed component, image or threshold is a new object in the plan.

    The one before is deleted with the deploy, and stays as an old version of the bucket for a while.
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment, pipeline: CompiledPipeline) -> None:
        super().__init__(scope, id)
        self.object = StorageBucketObject(
            self,
            "Default",
            bucket=names.bucket(env, names.BucketName.TEMPLATES),
            name=names.template(pipeline.model, pipeline.pipeline, pipeline.sha256),
            content=literal(pipeline.spec),
            content_type="application/json",
        )
