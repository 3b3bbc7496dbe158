"""Continuous training: a request on a topic becomes a run of the training pipeline, once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

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
from infra.workloads import CompiledPipeline

WORKFLOW = Path(__file__).parent.parent / "workflows" / "retrain.yaml"
KEPT_S = 7 * 86_400


class Retraining(Construct):
    """Topic -> Eventarc -> workflow -> Vertex AI. `writers` may ask for a retraining.

    Source: Eventarc, "Route Pub/Sub events to Workflows".
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
        topic = PubsubTopic(
            self,
            "requests",
            name=names.topic(env, names.RETRAIN),
            kms_key_name=names.customer_key(env, names.KeyName.DATA),
            message_retention_duration=f"{KEPT_S}s",
            message_storage_policy=PubsubTopicMessageStoragePolicy(allowed_persistence_regions=[env.region]),
        )
        grant_each(self, "writer", PubsubTopicIamMember, writers, role="roles/pubsub.publisher", topic=topic.name)
        workflow = WorkflowsWorkflow(
            self,
            "Default",
            name=names.resource(env, names.RETRAIN),
            region=env.region,
            description="Starts a training pipeline for a request on the topic, once a model and month",
            service_account=names.email(env, names.IdentityName.RETRAIN),
            call_log_level="LOG_ERRORS_ONLY",
            source_contents=literal(WORKFLOW.read_text(encoding="utf-8")),
            user_env_vars=_variables(env, pipelines),
            deletion_protection=env.protected,
        )
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
            destination=EventarcTriggerDestination(workflow=workflow.id),
        )


def _variables(env: Environment, pipelines: Sequence[CompiledPipeline]) -> dict[str, str]:
    known = {
        pipeline.model: {
            "object": names.template(pipeline.model, pipeline.pipeline, pipeline.sha256),
            "parameters": dict(pipeline.parameters),
        }
        for pipeline in pipelines
    }
    return {
        "PROJECT": env.project_id,
        "REGION": env.region,
        "TEMPLATES_BUCKET": names.bucket(env, names.BucketName.TEMPLATES),
        "PIPELINE_ROOT": names.pipeline_root(env),
        "RUNS_AS": names.email(env, names.IdentityName.PIPELINES),
        "PIPELINES": json.dumps(known, sort_keys=True),
    }
