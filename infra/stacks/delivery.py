"""What turns changes into deploys and time into runs: triggers, pipeline templates, schedules, retraining, alerts."""

from __future__ import annotations

from infra import names
from infra.constructs.git import GitConnection, Trigger
from infra.constructs.retraining import Retraining
from infra.constructs.schedule import PipelineSchedule, pipeline_job
from infra.constructs.template import PipelineTemplate
from infra.constructs.watch import Watch
from infra.names import IdentityName, StackName
from infra.stacks.base import EnvironmentStack
from infra.workloads import CompiledPipeline, PipelineName

# What a build of images is made of: the files that ci/images/*.Dockerfile copy, and the manifests of the clusters.
IN_THE_IMAGES = (
    "ci/images/**",
    "fonderie/__init__.py",
    "fonderie/core/**",
    "fonderie/google/**",
    "fonderie/serve.py",
    "infra/kubernetes/**",
    "ml/**",
    "pipelines/**",
    "requirements/pipelines.txt",
    "requirements/serving.txt",
)
RUNS_AS = {PipelineName.TRAINING: IdentityName.PIPELINES, PipelineName.MONITORING: IdentityName.MONITORING}


class DeliveryStack(EnvironmentStack):
    """Triggers, templates, schedules, continuous training, alerts, a dashboard."""

    name = StackName.DELIVERY

    def build(self) -> None:
        """Add the stack's resources."""
        if self.env.git.connected:
            self._triggers()
        for model in self.workloads.models:
            for pipeline in model.pipelines:
                self._pipeline(pipeline)
        training = [
            pipeline
            for model in self.workloads.models
            for pipeline in model.pipelines
            if pipeline.pipeline is PipelineName.TRAINING
        ]
        if self.env.features.continuous_training:
            writers = [names.member(self.env, IdentityName.MONITORING)]
            Retraining(self, "retraining", env=self.env, pipelines=training, writers=writers)
        Watch(self, "watch", env=self.env, models=[model.name for model in self.workloads.models])

    def _triggers(self) -> None:
        env = self.env
        repository = GitConnection(self, "git", env=env).repository
        Trigger(
            self,
            "preview",
            what="preview",
            description="A pull request: what would change, as one comment",
            repository=repository,
            runs_as=IdentityName.PLAN,
            on_pull_request=True,
            env=env,
        )
        Trigger(
            self,
            "apply",
            what="apply",
            description="The protected branch: apply what was reviewed",
            repository=repository,
            runs_as=IdentityName.APPLY,
            on_push=True,
            approval=env.approval,
            env=env,
        )
        if not env.images.registry:
            Trigger(
                self,
                "images",
                what="images",
                description="Code of models or pipelines: build, scan and push the images",
                repository=repository,
                runs_as=IdentityName.BUILDER,
                on_push=True,
                paths=list(IN_THE_IMAGES),
                substitutions={"_REGISTRY": names.images_url(env)},
                env=env,
            )
        drift = Trigger(
            self,
            "drift",
            what="drift",
            description="Every night: does the cloud still look as the code says?",
            repository=repository,
            runs_as=IdentityName.PLAN,
            env=env,
        )
        PipelineSchedule(
            self,
            "nightly-drift",
            env=env,
            what="nightly-drift",
            description="Starts the drift check of the infrastructure",
            cron=env.schedules.infrastructure_drift,
            url=names.trigger_url(env, "drift"),
            body={},
            after=[drift.trigger],
        )

    def _pipeline(self, pipeline: CompiledPipeline) -> None:
        env, what = self.env, f"{pipeline.pipeline}-{pipeline.model}"
        PipelineTemplate(self, f"{what}-template", env=env, pipeline=pipeline)
        training = pipeline.pipeline is PipelineName.TRAINING
        PipelineSchedule(
            self,
            what,
            env=env,
            what=what.replace("_", "-"),
            description=f"Runs the {pipeline.pipeline} pipeline of {pipeline.model}",
            cron=env.schedules.training if training else env.schedules.monitoring,
            url=names.vertex_url(env, "pipelineJobs"),
            body=pipeline_job(env, pipeline, RUNS_AS[pipeline.pipeline]),
            paused=not env.images.complete,
        )
