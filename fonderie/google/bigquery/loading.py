"""Months of a folder into BigQuery: a partition is replaced whole, so that loading twice is loading once."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from fonderie.google import google_errors
from fonderie.google.bigquery.origin import BigQueryOrigin
from fonderie.google.bigquery.tables import PARTITION
from ml.datasets.months import Month
from ml.datasets.parquet import read_parquet
from ml.datasets.schema import Dataset, conform
from ml.datasets.sources import Source


def load(
    folder: Source, target: BigQueryOrigin, months: Sequence[Month], progress: Callable[[str], None] = lambda _: None
) -> int:
    """Put planes, and flights and weather of `months`, in place of what is there; how many rows that were.

    Rows go as they are, those that break their contract too: what is quarantined is decided where they are read.
    Raises BadDataError for a month without flights, or what is wrong with a file.
    """
    folder.require(months)
    parts: list[tuple[Dataset, Month | None]] = [(Dataset.PLANES, None)]
    parts += [(dataset, month) for month in months for dataset in (Dataset.WEATHER, Dataset.FLIGHTS)]
    rows = 0
    for dataset, month in parts:
        path = folder.path(dataset, month)
        if dataset is Dataset.WEATHER and not path.exists():
            continue
        progress(f"{dataset} {month or ''}".strip())
        rows += _put(target, conform(read_parquet(path), dataset, path), dataset, month)
    return rows


def _put(target: BigQueryOrigin, rows: pa.Table, dataset: Dataset, month: Month | None) -> int:
    from google.cloud import bigquery

    name = f"{target.project}.{target.dataset}.{dataset}"
    if month:
        # Not null, as the table has it: BigQuery takes no nullable column for a required one.
        field = pa.field(PARTITION, pa.date32(), nullable=False)
        rows = rows.append_column(field, pa.array([month.first_day] * len(rows), pa.date32()))
        name = f"{name}${month.year:04d}{month.month:02d}"
    file = io.BytesIO()
    pq.write_table(rows, file, compression="zstd")
    size = file.tell()
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE,
        create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
        labels=target.jobs.labels,
    )
    with google_errors(name):
        job = target.jobs.client.load_table_from_file(file, name, rewind=True, size=size, job_config=config)
        job.result()
    return len(rows)
