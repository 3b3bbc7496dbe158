"""The tables of the data stack."""

from __future__ import annotations

from collections.abc import Sequence

from infra.constructs.dataset import Table
from infra.names import ENTITY_COLUMN
from infra.workloads import FeatureColumn

PARTITION_MONTH = "partition_month"
"""The first day of a row's month. Terraform makes the column, `fonderie data load` fills it."""

_CALENDAR = {"year": "INTEGER", "month": "INTEGER", "day": "INTEGER", "hour": "INTEGER"}


def months_tables() -> dict[str, Table]:
    """What features are made of: flights and weather by month, and the register of planes.

    The columns are those of `ml.datasets.schema`, which a test holds against these.
    """
    clock = dict.fromkeys(("dep_time", "sched_dep_time", "arr_time", "sched_arr_time", "flight", "minute"), "INTEGER")
    delays = dict.fromkeys(("dep_delay", "arr_delay", "air_time", "distance"), "FLOAT")
    flight = _CALENDAR | clock | delays | dict.fromkeys(("carrier", "tailnum", "origin", "dest"), "STRING")
    measures = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
    observation = {"origin": "STRING"} | _CALENDAR | dict.fromkeys(measures, "FLOAT")
    plane = {"tailnum": "STRING", **dict.fromkeys(("year", "engines", "seats", "as_of_year"), "INTEGER")}
    plane |= {"speed": "FLOAT", **dict.fromkeys(("type", "manufacturer", "model", "engine"), "STRING")}
    return {
        "flights": _monthly("Scheduled flights, one row each", flight, clustering=("origin", "carrier")),
        "weather": _monthly("Observations, one row an airport and hour", observation, clustering=("origin",)),
        "planes": Table("The register of planes, one row a plane and year of the register", plane),
    }


def _monthly(description: str, columns: dict[str, str], *, clustering: tuple[str, ...]) -> Table:
    columns = {PARTITION_MONTH: "DATE"} | columns | {"time_hour": "TIMESTAMP"}
    return Table(description, columns, partition=PARTITION_MONTH, by="MONTH", clustering=clustering)


BIGQUERY_TYPES = {"float64": "FLOAT", "string": "STRING"}


def features_table(features: Sequence[FeatureColumn]) -> Table:
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
