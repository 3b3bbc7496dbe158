"""BigQuery for the tests: its SQL runs on DuckDB, translated by sqlglot; its rules on partitions and bytes are kept.

A table that wants a filter on its partitions refuses a query without one, in BigQuery's words. Bytes are those of the
partitions that the query's own filters select, all columns of them: an upper bound, where BigQuery counts the columns
that are read.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from tests.google.discovery import Call, RejectedError

PAGE = 500
CELL_BYTES = 8


@dataclass
class BigQuery:
    """One dataset. `partitioned` maps a table to the column that its partitions are made by."""

    project: str = "proj-x"
    dataset: str = "dev_flights"
    partitioned: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, pa.Table] = field(default_factory=dict)
    bytes_billed: int = 0

    def __post_init__(self) -> None:
        """An empty DuckDB, with what sqlglot cannot translate."""
        self.duckdb = duckdb.connect()
        self.duckdb.execute("create macro ieee_divide(a, b) as a / b")
        self.duckdb.execute("create macro farm_fingerprint(a) as (hash(a) // 2)::bigint")

    def create(self, name: str, rows: pa.Table, partitioned_by: str | None = None) -> None:
        """A table that holds `rows`."""
        self.duckdb.register("arriving", rows)
        self.duckdb.execute(f"create or replace table {name} as select * from arriving")
        self.duckdb.unregister("arriving")
        if partitioned_by:
            self.partitioned[name] = partitioned_by

    def handle(self, call: Call, media: bytes) -> dict[str, Any]:
        """Answer one call."""
        match call.method:
            case "bigquery.jobs.insert":
                return self._insert(call, media)
            case "bigquery.jobs.get":
                return self._job(call.path["jobId"])
            case "bigquery.jobs.getQueryResults":
                return self._results(call)
        raise RejectedError(501, "notImplemented", f"the stand-in has no {call.method}")

    def _insert(self, call: Call, media: bytes) -> dict[str, Any]:
        configuration = call.body["configuration"]
        if "load" in configuration:
            return self._load(call.body, media)
        asked = configuration["query"]
        tree = sqlglot.parse_one(asked["query"], read="bigquery")
        size = self._bytes(tree)
        if configuration.get("dryRun"):
            return self._made(call.body, size, dry=True)
        identifier = call.body["jobReference"]["jobId"]
        if identifier in self.jobs:
            raise RejectedError(409, "duplicate", f"Already Exists: Job {self.project}:{identifier}")
        limit = int(asked.get("maximumBytesBilled", size))
        if size > limit:
            message = f"Query exceeded limit for bytes billed: {limit}. {size} or higher required."
            raise RejectedError(400, "bytesBilledLimitExceeded", message)
        try:
            answer = self.duckdb.execute(self._translated(tree)).to_arrow_table()
        except duckdb.Error as error:
            raise RejectedError(400, "invalidQuery", str(error)) from error
        self.answers[identifier] = answer
        self.bytes_billed += size
        self.jobs[identifier] = self._made(call.body, size)
        return self.jobs[identifier]

    def _made(self, body: dict[str, Any], size: int, *, dry: bool = False) -> dict[str, Any]:
        reference = {"projectId": self.project, "location": "europe-west1", **body.get("jobReference", {})}
        now = str(int(datetime.now(UTC).timestamp() * 1000))
        statistics: dict[str, Any] = {"creationTime": now, "totalBytesProcessed": str(size)}
        statistics["query"] = {"totalBytesProcessed": str(size), "statementType": "SELECT"}
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:{reference.get('jobId', '')}",
            "jobReference": reference,
            "configuration": body["configuration"] | {"jobType": "QUERY"},
            "status": {"state": "DONE"},
            "statistics": statistics if dry else statistics | {"startTime": now, "endTime": now},
        }

    def _job(self, identifier: str) -> dict[str, Any]:
        if identifier not in self.jobs:
            raise RejectedError(404, "notFound", f"Not found: Job {self.project}:{identifier}")
        return self.jobs[identifier]

    def _results(self, call: Call) -> dict[str, Any]:
        job, table = self._job(call.path["jobId"]), self.answers[call.path["jobId"]]
        start = int(call.query.get("pageToken", "0"))
        rows = min(PAGE, int(call.query.get("maxResults", PAGE)))
        kinds = [_type(each) for each in table.schema.types]
        answer: dict[str, Any] = {
            "kind": "bigquery#getQueryResultsResponse",
            "jobReference": job["jobReference"],
            "schema": {
                "fields": [
                    {"name": name, "type": kind, "mode": "NULLABLE"}
                    for name, kind in zip(table.column_names, kinds, strict=True)
                ]
            },
            "totalRows": str(len(table)),
            "jobComplete": True,
            "totalBytesProcessed": job["statistics"]["totalBytesProcessed"],
        }
        if rows:
            page = table.slice(start, rows).to_pylist()
            answer["rows"] = [{"f": [{"v": _cell(value)} for value in row.values()]} for row in page]
        if start + rows < len(table):
            answer["pageToken"] = str(start + rows)
        return answer

    def _translated(self, tree: exp.Expression) -> str:
        """The same for DuckDB: one dataset, so that tables go by their last name."""

        def here(node: exp.Expression) -> exp.Expression:
            if not isinstance(node, exp.Table):
                return node
            if node.name.upper().endswith("PARTITIONS"):
                return exp.to_table("partitions")
            return exp.Table(this=exp.to_identifier(node.name, quoted=True), alias=node.args.get("alias"))

        rows = " union all ".join(
            f"select '{table}' as table_name, strftime({column}, '%Y%m') as partition_id, count(*) as total_rows"
            f" from {table} group by all"
            for table, column in self.partitioned.items()
        )
        if rows:
            self.duckdb.execute(f"create or replace temp view partitions as {rows}")
        return str(tree.transform(here).sql("duckdb"))

    def _bytes(self, tree: exp.Expression) -> int:
        """Of the partitions that are read. Refuses a table that is read without saying which."""
        size = 0
        for table in tree.find_all(exp.Table):
            name = table.name
            if name.upper().endswith("PARTITIONS"):
                size += 10_000_000
                continue
            if not self.duckdb.execute("select 1 from duckdb_tables() where table_name = ?", [name]).fetchone():
                if table.parent_select and name in {cte.alias for cte in tree.find_all(exp.CTE)}:
                    continue
                full = f"{self.project}:{self.dataset}.{name}"
                raise RejectedError(404, "notFound", f"Not found: Table {full} was not found in location europe-west1")
            where = self._pruning(table) if name in self.partitioned else "true"
            found = self.duckdb.execute(f"select count(*) from {name} where {where}").fetchone()
            columns = len(self.duckdb.execute(f"select * from {name} limit 0").description)
            size += (found[0] if found else 0) * columns * CELL_BYTES
        return size

    def _pruning(self, table: exp.Table) -> str:
        """What of the query's own condition is on the partitions' column alone."""
        column = self.partitioned[table.name]
        select = table.parent_select
        where = select.args.get("where") if select else None
        kept = [
            part.sql("duckdb").replace(f'"{table.alias_or_name}".', "")
            for part in (where.this.flatten() if isinstance(where and where.this, exp.And) else [where and where.this])
            if part is not None and {each.name for each in part.find_all(exp.Column)} == {column}
        ]
        if not kept:
            full = f"{self.project}.{self.dataset}.{table.name}"
            raise RejectedError(
                400,
                "invalidQuery",
                f"Cannot query over table '{full}' without a filter over column(s) '{column}' that can be used for "
                "partition elimination",
            )
        return " and ".join(kept)

    def _load(self, body: dict[str, Any], media: bytes) -> dict[str, Any]:
        """Parquet into a table or one of its partitions (`flights$201304`), in place of what is there."""
        load = body["configuration"]["load"]
        name, _, partition = load["destinationTable"]["tableId"].partition("$")
        rows = pq.read_table(io.BytesIO(media))
        column = self.partitioned.get(name)
        if column and rows.schema.field(column).nullable:
            message = f"Provided Schema does not match Table. Field {column} has changed mode from REQUIRED to NULLABLE"
            raise RejectedError(400, "invalid", message)
        if column and partition:
            first = date(int(partition[:4]), int(partition[4:]), 1)
            if strange := {
                day for day in rows[column].to_pylist() if (day.year, day.month) != (first.year, first.month)
            }:
                raise RejectedError(400, "invalid", f"Some rows belong to different partitions: {sorted(strange)[0]}")
            self.duckdb.execute(f"delete from {name} where {column} = ?", [first])
        elif load["writeDisposition"] == "WRITE_TRUNCATE":
            self.duckdb.execute(f"delete from {name}")
        self.duckdb.register("arriving", rows)
        self.duckdb.execute(f"insert into {name} by name select * from arriving")
        self.duckdb.unregister("arriving")
        made = self._made(body, 0)
        made["configuration"]["jobType"] = "LOAD"
        made["statistics"]["load"] = {"outputRows": str(len(rows)), "inputFiles": "1"}
        made["statistics"].pop("query")
        self.jobs[body["jobReference"]["jobId"]] = made
        return made


def _type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind) or pa.types.is_integer(kind):
        return "INTEGER"
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP"
    return {"double": "FLOAT", "date32[day]": "DATE", "bool": "BOOLEAN"}.get(str(kind), "STRING")


def _cell(value: Any) -> Any:
    """As BigQuery's JSON writes it: text, whatever it is."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case datetime():
            return str(int(value.timestamp() * 1_000_000))
        case date():
            return value.isoformat()
        case float():
            return repr(value)
    return re.sub(r"\.0$", "", str(value)) if not isinstance(value, str) else value
