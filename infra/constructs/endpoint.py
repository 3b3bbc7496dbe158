"""A Vertex AI endpoint: where a model is asked for predictions."""

from __future__ import annotations

from imports.google.vertex_ai_endpoint import (
    VertexAiEndpoint,
    VertexAiEndpointEncryptionSpec,
    VertexAiEndpointPredictRequestResponseLoggingConfig,
    VertexAiEndpointPredictRequestResponseLoggingConfigBigqueryDestination,
)
from infra import names
from infra.bindings import Construct
from infra.constructs.protection import deletion_policy
from infra.settings import Environment

LOGGED_SHARE = 0.1


class Endpoint(Construct):
    """A model's endpoint, empty: `fonderie models deploy` brings the champion, so that Terraform waits for no model.

    A tenth of the requests is logged for the monitoring pipeline.
    Source: Vertex AI, "Request-response logs"; terraform-provider-google issue 15303.
    """

    def __init__(self, scope: Construct, id: str, *, env: Environment, model: str, description: str) -> None:
        super().__init__(scope, id)
        key = names.customer_key(env, names.KeyName.DATA)
        destination = VertexAiEndpointPredictRequestResponseLoggingConfigBigqueryDestination(
            output_uri=names.table_path(env, names.DatasetName.MONITORING, names.PREDICTIONS_TABLE)
        )
        self.endpoint = VertexAiEndpoint(
            self,
            "Default",
            name=names.endpoint_id(env, model),
            display_name=names.resource(env, model),
            description=description,
            location=env.region,
            region=env.region,
            labels={"model": model},
            predict_request_response_logging_config=VertexAiEndpointPredictRequestResponseLoggingConfig(
                enabled=True, sampling_rate=LOGGED_SHARE, bigquery_destination=destination
            ),
            encryption_spec=VertexAiEndpointEncryptionSpec(kms_key_name=key) if key else None,
            deletion_policy=deletion_policy(env),
        )
