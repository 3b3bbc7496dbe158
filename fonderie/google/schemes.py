"""The locations at Google that `ml` can be given: what opens each is imported when it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ml.locations import ORIGINS, RECORDS, REGISTRIES, SINKS, VERSIONS

VERTEX_FORM = "vertex://PROJECT/REGION/BUCKET?image=REGISTRY/serving@sha256:..."


def register() -> None:
    """Let `ml` open registries on Vertex AI, data in BigQuery, versions and the monitor's records in Cloud Storage."""
    REGISTRIES.add(VERTEX_FORM, _registry)
    ORIGINS.add("bigquery://PROJECT/REGION/DATASET", _origin)
    SINKS.add("bigquery://PROJECT/DATASET/TABLE", _sink)
    VERSIONS.add("gs://BUCKET/FOLDER", _version)
    RECORDS.add("gs://BUCKET/FOLDER", _records)


def _registry(location: str, model: str) -> Any:
    from fonderie.google.vertex_registry import VertexRegistry

    return VertexRegistry.parse(location, model)


def _origin(location: str) -> Any:
    from fonderie.google.bigquery.origin import BigQueryOrigin

    return BigQueryOrigin.parse(location)


def _sink(location: str) -> Any:
    from fonderie.google.metadata import BigQuerySink

    return BigQuerySink(location)


def _version(location: str, scratch: Path) -> Path:
    from fonderie.google.metadata import fetch

    return fetch(location, scratch)


def _records(location: str) -> Any:
    from fonderie.google.bucket_records import BucketRecords

    return BucketRecords(location)
