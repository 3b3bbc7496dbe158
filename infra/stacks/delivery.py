"""What turns changes into deploys and time into runs: triggers, pipeline templates, schedules, retraining, alerts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from infra import names
from infra.constructs.git import GitConnection, Trigger
from infra.constructs.retraining import Retraining, execution
from infra.constructs.schedule import PipelineSchedule
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


class DeliveryStack(EnvironmentStack):
    """Triggers, templates, schedules, continuous training, alerts, a dashboard."""

    name = StackName.DELIVERY

    def build(self) -> None:
        """Add the stack's resources."""
        env = self.env
        pipelines = [pipeline for model in self.workloads.models for pipeline in model.pipelines]
        writers = [names.member(env, IdentityName.MONITORING)]
        builds = self._triggers() if env.git.connected else []
        templates = [self._template(pipeline) for pipeline in pipelines]
        starter = Retraining(self, "retraining", env=env, pipelines=pipelines, writers=writers)
        for pipeline in pipelines:
            self._schedule(pipeline, after=[starter.workflow, *templates])
        Watch(self, "watch", env=env, models=[model.name for model in self.workloads.models], builds=builds)

    def _triggers(self) -> list[str]:
        """Add the triggers; the ids of those whose builds run unattended."""
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
        apply = Trigger(
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
        builds = [apply]
        if not env.images.registry:
            images = Trigger(
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
            builds.append(images)
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
        return [each.trigger.trigger_id for each in (*builds, drift)]

    def _template(self, pipeline: CompiledPipeline) -> Any:
        what = f"{pipeline.pipeline}-{pipeline.model}"
        return PipelineTemplate(self, f"{what}-template", env=self.env, pipeline=pipeline).object

    def _schedule(self, pipeline: CompiledPipeline, *, after: Sequence[Any]) -> None:
        env, what = self.env, f"{pipeline.pipeline}-{pipeline.model}"
        training = pipeline.pipeline is PipelineName.TRAINING
        PipelineSchedule(
            self,
            what,
            env=env,
            what=what.replace("_", "-"),
            description=f"Runs the {pipeline.pipeline} pipeline of {pipeline.model}",
            cron=env.schedules.training if training else env.schedules.monitoring,
            url=names.workflow_url(env, names.RETRAIN),
            body=execution(pipeline),
            paused=not env.images.complete,
            after=after,
        )
