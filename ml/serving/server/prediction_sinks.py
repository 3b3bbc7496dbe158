"""Where the prediction log goes: parquet files in a folder, or a BigQuery table."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from pathlib import Path

import msgspec

from fonderie.core.errors import BadInputError
from fonderie.core.files import replacing
from fonderie.google.metadata import GoogleClient
from ml.serving.server.prediction_log import LogRow, Sink


class ParquetSink:
    """`<folder>/date=2013-04-01/<process>-<number>.parquet`: whole files, one a batch and day."""

    def __init__(self, folder: Path) -> None:
        import pyarrow  # noqa: F401  # now, not under the first requests: it takes a quarter of a second

        self._folder = folder
        self._numbers = itertools.count()

    def write(self, rows: list[LogRow]) -> None:
        """All rows or an OSError."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        days: dict[str, list[LogRow]] = defaultdict(list)
        for row in rows:
            days[row.at.date().isoformat()].append(row)
        for day, of_day in days.items():
            path = self._folder / f"date={day}" / f"{os.getpid()}-{next(self._numbers):06d}.parquet"
            with replacing(path) as draft:
                pq.write_table(pa.Table.from_pylist([msgspec.structs.asdict(row) for row in of_day]), draft)


class BigQuerySink:
    """Rows into a table by tabledata.insertAll; a row's id makes a retry harmless.

    Source: BigQuery REST reference, tabledata.insertAll (insertId, insertErrors).
    """

    def __init__(self, client: GoogleClient, *, project: str, dataset: str, table: str) -> None:
        self._path = f"/bigquery/v2/projects/{project}/datasets/{dataset}/tables/{table}/insertAll"
        self._client = client

    def write(self, rows: list[LogRow]) -> None:
        """All rows or an OSError."""
        body = {"rows": [{"insertId": f"{row.request_id}/{row.role}/{row.row}", "json": row} for row in rows]}
        answer = msgspec.json.decode(self._client.post(self._path, msgspec.json.encode(body)))
        errors = answer.get("insertErrors") if isinstance(answer, dict) else None
        if errors:
            raise OSError(f"BigQuery refused {len(errors)} rows: {errors[0]}")


def open_sink(location: str) -> Sink:
    """A folder, or bigquery://project/dataset/table. Raises BadInputError."""
    if not location.startswith("bigquery://"):
        return ParquetSink(Path(location))
    parts = location.removeprefix("bigquery://").split("/")
    if len(parts) != 3 or not all(parts):
        raise BadInputError(f"{location!r} is not a BigQuery table", hint="bigquery://project/dataset/table")
    project, dataset, table = parts
    client = GoogleClient("https://bigquery.googleapis.com")
    return BigQuerySink(client, project=project, dataset=dataset, table=table)
