"""Queries: what they would read is asked first, and too much is refused before anything is paid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from fonderie.core.errors import RefusedError
from fonderie.google import Access, google_errors

CATALOGUE_BYTES = 100_000_000
"""Enough for a question about partitions: BigQuery bills 10 MB for one at least."""


@dataclass(frozen=True)
class Limit:
    """How many bytes a query may read, and where that is said."""

    max_bytes: int = CATALOGUE_BYTES
    where: str = "questions about partitions"


@dataclass
class Jobs:
    """Queries in a project and region, with labels that bills show.

    Source: BigQuery, "Estimate query costs" (dry run), "Custom cost controls" (maximum bytes billed).
    """

    access: Access
    labels: dict[str, str] = field(default_factory=dict)
    give_up_after_s: float = 60.0  # of asking again what Google could not take
    _client: Any = None

    @property
    def client(self) -> Any:
        """BigQuery's own client, made when it is first used."""
        if self._client is None:
            self._client = self.access.bigquery()
        return self._client

    def estimate(self, sql: str) -> int:
        """Bytes that the query would read. Nothing is run and nothing is paid."""
        from google.cloud import bigquery

        with google_errors(self._place):
            wanted = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
            return int(self._ask(sql, wanted).total_bytes_processed)

    def table(self, sql: str, limit: Limit | None = None) -> pa.Table:
        """The answer. Raises RefusedError when the estimate is above `limit`; BigQuery itself stops at it as well."""
        from google.cloud import bigquery

        limit = limit or Limit()
        refuse_above(self.estimate(sql), limit)
        wanted = bigquery.QueryJobConfig(maximum_bytes_billed=limit.max_bytes, labels=self.labels)
        with google_errors(self._place):
            job = self._ask(sql, wanted)
        with google_errors(self._link(job)):
            return job.result().to_arrow(create_bqstorage_client=False)

    def _ask(self, sql: str, wanted: Any) -> Any:
        from google.cloud.bigquery.retry import DEFAULT_RETRY

        patient = DEFAULT_RETRY.with_timeout(self.give_up_after_s)
        # With a job_retry the client asks for ten minutes whatever `retry` says (docs/traps.md).
        return self.client.query(sql, job_config=wanted, retry=patient, job_retry=None)

    @property
    def _place(self) -> str:
        return f"BigQuery in {self.access.project}, {self.access.region}"

    def _link(self, job: Any) -> str:
        place = f"bq:{self.access.region}:{job.job_id}"
        return f"https://console.cloud.google.com/bigquery?project={self.access.project}&j={place}&page=queryresults"


def refuse_above(estimate: int, limit: Limit) -> None:
    """Raises RefusedError when a query would read more than `limit`."""
    if estimate > limit.max_bytes:
        raise RefusedError(
            f"the query would read {size(estimate)}, and {size(limit.max_bytes)} is the limit",
            where=limit.where,
            hint="ask for fewer months (training.window_months), or raise the limit",
        )


def size(count: int) -> str:
    """Bytes as a bill shows them: 2.3 GB."""
    for unit, bytes_each in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if count >= bytes_each:
            return f"{count / bytes_each:,.1f} {unit}"
    return f"{count} bytes"
