"""A BigQuery dataset, its partitioned tables, and who may read and write it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imports.google.bigquery_dataset import BigqueryDataset, BigqueryDatasetDefaultEncryptionConfiguration
from imports.google.bigquery_dataset_iam_member import BigqueryDatasetIamMember
from imports.google.bigquery_table import BigqueryTable, BigqueryTableTimePartitioning
from infra import names
from infra.bindings import Construct
from infra.constructs.grants import grant_each
from infra.constructs.protection import deletion_policy
from infra.settings import Environment

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Table:
    """A table partitioned `by` DAY or MONTH. `columns` are name -> BigQuery type; those of `repeated` hold arrays."""

    description: str
    columns: Mapping[str, str]
    partition: str | None = None
    by: str = "DAY"
    clustering: tuple[str, ...] = ()
    repeated: frozenset[str] = frozenset()
    expire_after_days: int | None = None

    @property
    def schema(self) -> str:
        """The columns as BigQuery's JSON. The partition's column is always filled."""
        columns = [{"mode": self._mode(name), "name": name, "type": kind} for name, kind in self.columns.items()]
        return json.dumps(columns)

    def _mode(self, column: str) -> str:
        if column == self.partition:
            return "REQUIRED"
        return "REPEATED" if column in self.repeated else "NULLABLE"


class BigQueryDataset(Construct):
    """A dataset in the environment's region. A query must name the partitions it reads: a scan of it all is a mistake.

    Source: BigQuery, "Introduction to partitioned tables".
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        env: Environment,
        which: names.DatasetName,
        description: str,
        tables: Mapping[str, Table],
        readers: Sequence[str] = (),
        writers: Sequence[str] = (),
    ) -> None:
        super().__init__(scope, id)
        key = names.customer_key(env, names.KeyName.DATA)
        self.dataset = BigqueryDataset(
            self,
            "Default",
            dataset_id=names.dataset(env, which),
            location=env.region,
            description=description,
            default_encryption_configuration=BigqueryDatasetDefaultEncryptionConfiguration(kms_key_name=key)
            if key
            else None,
            delete_contents_on_destroy=env.ephemeral,
            deletion_policy=deletion_policy(env),
        )
        binding, on = BigqueryDatasetIamMember, {"dataset_id": self.dataset.dataset_id}
        for name, table in tables.items():
            self._table(env, name, table, on)
        grant_each(self, "reader", binding, readers, role="roles/bigquery.dataViewer", **on)
        grant_each(self, "writer", binding, writers, role="roles/bigquery.dataEditor", **on)

    def _table(self, env: Environment, name: str, table: Table, on: dict[str, str]) -> None:
        BigqueryTable(
            self,
            name,
            table_id=name,
            description=table.description,
            schema=table.schema,
            time_partitioning=self._partitioning(table),
            clustering=list(table.clustering) or None,
            require_partition_filter=True if table.partition else None,
            deletion_protection=env.protected,
            **on,
        )

    @staticmethod
    def _partitioning(table: Table) -> BigqueryTableTimePartitioning | None:
        if table.partition is None:
            return None
        return BigqueryTableTimePartitioning(
            type=table.by,
            field=table.partition,
            expiration_ms=table.expire_after_days * DAY_MS if table.expire_after_days else None,
        )
