"""The tables of the data stack."""

from __future__ import annotations

from collections.abc import Sequence

from infra.constructs.dataset import Table
from infra.names import ENTITY_COLUMN
from infra.workloads import Feature

BIGQUERY_TYPES = {"float64": "FLOAT", "string": "STRING"}


def features_table(features: Sequence[Feature]) -> Table:
    """One row a flight, one column a feature; the two columns a Vertex AI feature group wants come first.

    Source: Vertex AI Feature Store, "Prepare data source".
    """
    columns = {ENTITY_COLUMN: "STRING", "feature_timestamp": "TIMESTAMP"}
    columns |= {feature.name: BIGQUERY_TYPES[feature.dtype] for feature in features}
    return Table("Features, one row a flight", columns, partition="feature_timestamp", clustering=(ENTITY_COLUMN,))


def predictions_table(expire_after_days: int) -> Table:
    """What Vertex AI logs of requests and responses.

    Source: Vertex AI, "Use online prediction logging: request-response logs".
    """
    columns = {
        "endpoint": "STRING",
        "deployed_model_id": "STRING",
        "logging_time": "TIMESTAMP",
        "request_id": "NUMERIC",
        "request_payload": "STRING",
        "response_payload": "STRING",
    }
    return Table(
        "Requests to the endpoints and their responses",
        columns,
        partition="logging_time",
        clustering=("endpoint",),
        repeated=frozenset({"request_payload", "response_payload"}),
        expire_after_days=expire_after_days,
    )


def drift_table() -> Table:
    """One row a measure of a drift comparison: reference against current."""
    columns = {
        "measured_at": "TIMESTAMP",
        "model": "STRING",
        "model_version": "STRING",
        "month": "STRING",
        "feature": "STRING",
        "measure": "STRING",
        "value": "FLOAT",
        "limit": "FLOAT",
        "alarm": "BOOLEAN",
    }
    return Table("Drift of features, predictions and error", columns, partition="measured_at", clustering=("model",))
