"""What starts runs on Vertex AI: a workflow, called by schedules and by requests on a topic; each is one run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imports.google.eventarc_trigger import (
    EventarcTrigger,
    EventarcTriggerDestination,
    EventarcTriggerMatchingCriteria,
    EventarcTriggerTransport,
    EventarcTriggerTransportPubsub,
)
from imports.google.pubsub_topic import PubsubTopic, PubsubTopicMessageStoragePolicy
from imports.google.pubsub_topic_iam_member import PubsubTopicIamMember
from imports.google.workflows_workflow import WorkflowsWorkflow
from infra import names
from infra.bindings import Construct, literal
from infra.constructs.grants import grant_each
from infra.settings import Environment
from infra.workloads import CompiledPipeline, PipelineName

WORKFLOW = Path(__file__).parent.parent / "workflows" / "retrain.yaml"
RUNS_AS = {PipelineName.TRAINING: names.IdentityName.PIPELINES, PipelineName.MONITORING: names.IdentityName.MONITORING}
KEPT_S = 7 * 86_400


class Retraining(Construct):
    """The workflow that starts runs, and with continuous training: topic -> Eventarc -> workflow -> Vertex AI.

    `writers` may ask for a retraining. Source: Eventarc, "Route Pub/Sub events to Workflows".
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: Environment,
        pipelines: Sequence[CompiledPipeline],
        writers: Sequence[str],
    ) -> None:
        super().__init__(scope, id)
        topic = self._topic(env, writers) if env.features.continuous_training else None
        self.workflow = WorkflowsWorkflow(
            self,
            "Default",
            name=names.resource(env, names.RETRAIN),
            region=env.region,
            description="Starts a pipeline for a schedule or for a request on the topic, each once",
            service_account=names.email(env, names.IdentityName.RETRAIN),
            call_log_level="LOG_ERRORS_ONLY",
            source_contents=literal(source(env, pipelines)),
            user_env_vars={
                "PROJECT": env.project_id,
                "REGION": env.region,
                "TEMPLATES_BUCKET": names.bucket(env, names.BucketName.TEMPLATES),
                "PIPELINE_ROOT": names.pipeline_root(env),
            },
            deletion_protection=env.protected,
            depends_on=[topic] if topic else None,  # a run of the monitor is given its name
        )
        if topic:
            self._trigger(env, topic)

    def _topic(self, env: Environment, writers: Sequence[str]) -> PubsubTopic:
        topic = PubsubTopic(
            self,
            "requests",
            name=names.topic(env, names.RETRAIN),
            kms_key_name=names.customer_key(env, names.KeyName.DATA),
            message_retention_duration=f"{KEPT_S}s",
            message_storage_policy=PubsubTopicMessageStoragePolicy(allowed_persistence_regions=[env.region]),
        )
        grant_each(self, "writer", PubsubTopicIamMember, writers, role="roles/pubsub.publisher", topic=topic.name)
        return topic

    def _trigger(self, env: Environment, topic: PubsubTopic) -> None:
        EventarcTrigger(
            self,
            "trigger",
            name=names.resource(env, names.RETRAIN),
            location=env.region,
            service_account=names.email(env, names.IdentityName.RETRAIN),
            matching_criteria=[
                EventarcTriggerMatchingCriteria(attribute="type", value="google.cloud.pubsub.topic.v1.messagePublished")
            ],
            transport=EventarcTriggerTransport(pubsub=EventarcTriggerTransportPubsub(topic=topic.id)),
            destination=EventarcTriggerDestination(workflow=self.workflow.id),
        )


def source(env: Environment, pipelines: Sequence[CompiledPipeline]) -> str:
    """The workflow's text with what it starts, and what every run carries: labels, the key.

    In the text, since a variable of a workflow holds 4 KiB and a text 128 KiB. Source: Workflows, "Quotas and limits".
    """
    known: dict[str, dict[str, Any]] = {}
    for pipeline in pipelines:
        known.setdefault(pipeline.model, {})[pipeline.pipeline] = {
            "object": names.template(pipeline.model, pipeline.pipeline, pipeline.sha256),
            "parameters": dict(pipeline.parameters),
            "runs_as": names.email(env, RUNS_AS[pipeline.pipeline]),
        }
    key = names.customer_key(env, names.KeyName.DATA)
    common = {"labels": env.all_labels, **({"encryptionSpec": {"kmsKeyName": key}} if key else {})}
    text = WORKFLOW.read_text(encoding="utf-8")
    for name, value in (("pipelines", known), ("common", common)):
        text = text.replace(f"- {name}: {{}}\n", f"- {name}: {json.dumps(value, sort_keys=True)}\n")
    return text


def execution(pipeline: CompiledPipeline) -> dict[str, str]:
    """The body of the call that starts a pipeline. Source: Workflow Executions REST reference, `executions.create`."""
    return {"argument": json.dumps({"model": pipeline.model, "pipeline": pipeline.pipeline}, sort_keys=True)}
