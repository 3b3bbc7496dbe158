"""BigQuery: its SQL runs on DuckDB, translated by sqlglot; its rules on partitions and bytes are kept.

A table that wants a filter on its partitions refuses a query without one, in BigQuery's words. Bytes are those of the
partitions that the query's own filters select, all columns of them: an upper bound, where BigQuery counts the columns
that are read. The rows of a table that Terraform made lie in a Parquet file beside the cloud file.

Source: BigQuery's REST reference (jobs, tabledata), "Query partitioned tables".
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from sqlglot import exp

from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError

PAGE = 500
CELL_BYTES = 8
_TABLE = "google_bigquery_table"
_KINDS = {
    "INTEGER": "BIGINT",
    "INT64": "BIGINT",
    "FLOAT": "DOUBLE",
    "FLOAT64": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "BOOL": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMPTZ",
    "DATE": "DATE",
    "DATETIME": "TIMESTAMP",
    "JSON": "VARCHAR",
    "NUMERIC": "DECIMAL(38, 9)",
}


@lru_cache(maxsize=64)
def _parse(sql: str) -> exp.Expression:
    """The query's tree, to read and not to change: an estimate and its query have one text, and parsing is slow."""
    try:
        return sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.ParseError as error:
        raise RejectedError(400, "invalidQuery", str(error)) from error


def tables_of(sql: str, project: str, default: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Project, dataset and name of each table that a query reads; INFORMATION_SCHEMA.X is one of its dataset's."""
    tree = _parse(sql)
    known = {cte.alias for cte in tree.find_all(exp.CTE)}
    found = []
    for table in tree.find_all(exp.Table):
        parts = [part.name for part in table.parts]
        parts = ".".join(parts).replace("`", "").split(".")
        if "INFORMATION_SCHEMA" in (part.upper() for part in parts):
            at = [part.upper() for part in parts].index("INFORMATION_SCHEMA")
            parts = [*parts[:at], ".".join(parts[at:])]
        if len(parts) == 1 and parts[0] in known:
            continue
        dataset = parts[-2] if len(parts) > 1 else default.get("datasetId", "")
        owner = parts[-3] if len(parts) > 2 else default.get("projectId", project) if len(parts) == 1 else project
        found.append((owner, dataset, parts[-1]))
    return list(dict.fromkeys(found))


@dataclass
class BigQuery:
    """Datasets of a project. `partitioned` maps a table to the column that its partitions are made by.

    With a `world` tables are those of its cloud, each in DuckDB's schema of its dataset; without one they are what
    `create` was given, in one dataset.
    """

    project: str = "proj-x"
    dataset: str = "dev_flights"
    partitioned: dict[str, str] = field(default_factory=dict)
    jobs: MutableMapping[str, dict[str, Any]] = field(default_factory=dict)
    answers: dict[str, pa.Table] = field(default_factory=dict)
    bytes_billed: int = 0
    world: World | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

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

    def handle(self, call: Call) -> dict[str, Any]:
        """Answer one call."""
        with self.lock:  # DuckDB's connection is one thread's at a time
            if self.world is not None and "projectId" in call.path:
                self.project = self.world.names.canonical(f"projects/{call.path['projectId']}").split("/")[1]
            return self._answer(call)

    def _answer(self, call: Call) -> dict[str, Any]:
        match call.method:
            case "bigquery.jobs.insert":
                return self._insert(call, call.media)
            case "bigquery.tabledata.insertAll":
                return self._insert_rows(call)
            case "bigquery.projects.getServiceAccount" if self.world is not None:
                email = f"bq-{self.world.cloud.number_of(self.project)}@bigquery-encryption.iam.gserviceaccount.com"
                self.world.cloud.add_agent(email)
                return {"kind": "bigquery#getServiceAccountResponse", "email": email}
            case "bigquery.jobs.get":
                return self._job(call.path["jobId"])
            case "bigquery.jobs.getQueryResults":
                return self._results(call)
        raise RejectedError(501, "notImplemented", f"the sandbox has no {call.method}")

    def _insert(self, call: Call, media: bytes) -> dict[str, Any]:
        configuration = call.body["configuration"]
        if "load" in configuration:
            return self._load(call, media)
        if "query" not in configuration:
            raise RejectedError(501, "notImplemented", f"the sandbox runs no job of {', '.join(configuration)}")
        asked = configuration["query"]
        self._bring(tables_of(asked["query"], self.project, asked.get("defaultDataset", {})))
        tree = self._parsed(asked)
        size = self._bytes(tree)
        if configuration.get("dryRun"):
            return self._made(call, size, dry=True)
        identifier = call.body.get("jobReference", {}).get("jobId") or f"job_{len(self.jobs) + 1}"
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
        self.jobs[identifier] = self._made(call, size, identifier)
        return self.jobs[identifier]

    def _made(self, call: Call, size: int, identifier: str = "", *, dry: bool = False) -> dict[str, Any]:
        body = call.body
        reference = {"projectId": self.project, "location": "europe-west1", **body.get("jobReference", {})}
        reference |= {"jobId": identifier} if identifier else {}
        owner = {"user_email": call.caller.email} if call.caller is not None else {}
        now = str(int(datetime.now(UTC).timestamp() * 1000))
        statistics: dict[str, Any] = {"creationTime": now, "totalBytesProcessed": str(size)}
        statistics["query"] = {"totalBytesProcessed": str(size), "statementType": "SELECT"}
        return {
            "kind": "bigquery#job",
            **owner,
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
        job = self._job(call.path["jobId"])
        if (table := self.answers.get(call.path["jobId"])) is None:
            raise RejectedError(501, "notImplemented", "the sandbox keeps results only as long as it runs")
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

    def _parsed(self, asked: Mapping[str, Any]) -> exp.Expression:
        """A query whose tables are named as they are here: by dataset and name, without their project."""
        tree = _parse(asked["query"])
        if self.world is None:
            return tree
        tree = tree.copy()
        default = asked.get("defaultDataset", {}).get("datasetId", "")
        known = {cte.alias for cte in tree.find_all(exp.CTE)}
        for table in list(tree.find_all(exp.Table)):
            parts = ".".join(part.name for part in table.parts).replace("`", "").split(".")
            if parts[-1].upper().endswith("PARTITIONS") or (len(parts) == 1 and parts[0] in known):
                continue
            name = f"{parts[-2] if len(parts) > 1 else default}.{parts[-1]}"
            table.replace(exp.Table(this=exp.to_identifier(name, quoted=True), alias=table.args.get("alias")))
        return tree

    def _translated(self, tree: exp.Expression) -> str:
        """The same for DuckDB: tables go by their last name."""

        def here(node: exp.Expression) -> exp.Expression:
            if not isinstance(node, exp.Table):
                return node
            if node.name.upper().endswith("PARTITIONS"):
                return exp.to_table("partitions")
            return exp.Table(this=exp.to_identifier(node.name, quoted=True), alias=node.args.get("alias"))

        rows = " union all ".join(
            f"select '{table.rpartition('.')[2]}' as table_name, strftime({column}, '%Y%m') as partition_id,"
            f' count(*) as total_rows from "{table}" group by all'
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
                full = f"{self.project}:{name if '.' in name else f'{self.dataset}.{name}'}"
                raise RejectedError(404, "notFound", f"Not found: Table {full} was not found in location europe-west1")
            where = self._pruning(table) if name in self.partitioned else "true"
            found = self.duckdb.execute(f'select count(*) from "{name}" where {where}').fetchone()
            columns = len(self.duckdb.execute(f'select * from "{name}" limit 0').description)
            size += (found[0] if found else 0) * columns * CELL_BYTES
        return size

    def _pruning(self, table: exp.Table) -> str:
        """What of the query's own condition is on the partitions' column alone."""
        column = self.partitioned[table.name]
        select = table.parent_select
        where = select.args.get("where") if select else None
        condition = where.this if where else None
        kept = [
            part.sql("duckdb").replace(f'"{table.alias_or_name}".', "")
            for part in (condition.flatten() if isinstance(condition, exp.And) else [condition])
            if part is not None and {each.name for each in part.find_all(exp.Column)} == {column}
        ]
        if not kept:
            full = f"{self.project}.{table.name if '.' in table.name else f'{self.dataset}.{table.name}'}"
            raise RejectedError(
                400,
                "invalidQuery",
                f"Cannot query over table '{full}' without a filter over column(s) '{column}' that can be used for "
                "partition elimination",
            )
        return " and ".join(kept)

    def _load(self, call: Call, media: bytes) -> dict[str, Any]:
        """Parquet into a table or one of its partitions (`flights$201304`), in place of what is there."""
        load = call.body["configuration"]["load"]
        table, _, partition = load["destinationTable"]["tableId"].partition("$")
        name = self._named(load["destinationTable"], table)
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
            self.duckdb.execute(f'delete from "{name}" where {column} = ?', [first])
        elif load["writeDisposition"] == "WRITE_TRUNCATE":
            self.duckdb.execute(f'delete from "{name}"')
        self._append(name, rows)
        made = self._made(call, 0)
        made["configuration"]["jobType"] = "LOAD"
        made["statistics"]["load"] = {"outputRows": str(len(rows)), "inputFiles": "1"}
        made["statistics"].pop("query")
        self.jobs[call.body["jobReference"]["jobId"]] = made
        return made

    def _append(self, name: str, rows: pa.Table) -> None:
        self.duckdb.register("arriving", rows)
        try:
            self.duckdb.execute(f'insert into "{name}" by name select * from arriving')
        except duckdb.Error as error:
            raise RejectedError(400, "invalid", str(error).split("\n")[0]) from error
        finally:
            self.duckdb.unregister("arriving")
        if self.world is not None:
            file = self._file(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            self.duckdb.execute(f"copy \"{name}\" to '{file}' (format parquet)")

    def _insert_rows(self, call: Call) -> dict[str, Any]:
        """Streamed rows; one that does not fit the table is told, and with it none of them is written."""
        reference = {"projectId": self.project, "datasetId": call.path["datasetId"], "tableId": call.path["tableId"]}
        name = self._named(reference, call.path["tableId"])
        rows = [row.get("json", {}) for row in call.body.get("rows", [])]
        described = self.duckdb.execute(f'describe "{name}"').fetchall()
        known = {column: (kind, null == "YES") for column, kind, null, *_ in described}
        errors = []
        for at, row in enumerate(rows):
            strange = [each for each in row if each not in known]
            strange += [each for each, (_, nullable) in known.items() if not nullable and row.get(each) is None]
            if strange:
                told = [{"reason": "invalid", "location": strange[0], "message": f"no such field: {strange[0]}."}]
                errors.append({"index": at, "errors": told})
        answer: dict[str, Any] = {"kind": "bigquery#tableDataInsertAllResponse"}
        if errors:
            return answer | {"insertErrors": errors}
        for row in rows:
            columns = ", ".join(f'"{column}"' for column in row)
            values = ", ".join(f"cast(? as {known[column][0]})" for column in row)
            cells = [json.dumps(cell) if isinstance(cell, dict | list) else cell for cell in row.values()]
            self.duckdb.execute(f'insert into "{name}" ({columns}) values ({values})', cells)
        if rows and self.world is not None:
            self._append(name, self.duckdb.execute(f'select * from "{name}" limit 0').to_arrow_table())
        return answer

    # -- tables of the cloud

    def _named(self, reference: Mapping[str, str], table: str) -> str:
        """The name of a table here. Raises RejectedError for one that Terraform did not make."""
        if self.world is None:
            return table
        dataset = reference["datasetId"]
        if not self._bring([(reference["projectId"], dataset, table)]):
            raise RejectedError(404, "notFound", f"Not found: Table {self.project}:{dataset}.{table}")
        return f"{dataset}.{table}"

    def _bring(self, tables: list[tuple[str, str, str]]) -> bool:
        """Have tables of the cloud in DuckDB, with the rows that were kept; whether all of them are there."""
        if self.world is None:
            return True
        whole = list(self._with_partitions(tables))
        for project, dataset, table in whole:
            thing = self.world.cloud.live(_TABLE, f"projects/{project}/datasets/{dataset}/tables/{table}")
            name = f"{dataset}.{table}"
            self.duckdb.execute(f'drop table if exists "{name}"')
            self.partitioned.pop(name, None)
            if thing is None:
                continue
            columns = [_column(each) for each in json.loads(thing.attributes.get("schema") or "[]")]
            self.duckdb.execute(f'create table "{name}" ({", ".join(columns)})')
            if (file := self._file(name)).is_file():
                self.duckdb.execute(f"insert into \"{name}\" by name select * from read_parquet('{file}')")
            partitions = thing.attributes.get("time_partitioning") or []
            if partitions and partitions[0].get("field"):
                self.partitioned[name] = partitions[0]["field"]
        known = {row[0] for row in self.duckdb.execute("select table_name from duckdb_tables()").fetchall()}
        return all(f"{dataset}.{table}" in known for _, dataset, table in whole)

    def _with_partitions(self, tables: list[tuple[str, str, str]]) -> Iterator[tuple[str, str, str]]:
        """A question for a dataset's partitions is one about all its tables."""
        for project, dataset, table in tables:
            if not table.upper().startswith("INFORMATION_SCHEMA"):
                yield project, dataset, table
            elif self.world is not None:
                for thing in self.world.cloud.things(_TABLE, under=f"projects/{project}/datasets/{dataset}"):
                    yield project, dataset, thing.path.rsplit("/", 1)[1]

    def _file(self, name: str) -> Any:
        assert self.world is not None
        return self.world.buckets.folder / ".bigquery" / self.project / f"{name}.parquet"


def _column(field: Mapping[str, Any]) -> str:
    kind = _KINDS.get(str(field["type"]).upper(), "VARCHAR")
    kind = f"{kind}[]" if field.get("mode") == "REPEATED" else kind
    return f'"{field["name"]}" {kind}{" not null" if field.get("mode") == "REQUIRED" else ""}'


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
