"""A BigQuery dataset, its partitioned tables, and who may read and write it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from imports.google.bigquery_dataset import (
    BigqueryDataset,
    BigqueryDatasetAccess,
    BigqueryDatasetDefaultEncryptionConfiguration,
)
from imports.google.bigquery_table import BigqueryTable, BigqueryTableTimePartitioning
from infra import names
from infra.bindings import Construct
from infra.constructs.protection import deletion_policy
from infra.settings import Environment

DAY_MS = 86_400_000


def _access(role: str, member: str) -> BigqueryDatasetAccess:
    kind, _, email = member.partition(":")
    if kind == "group":
        return BigqueryDatasetAccess(role=role, group_by_email=email)
    return BigqueryDatasetAccess(role=role, user_by_email=email)  # service accounts too


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

    Its access list is whole: without one, whoever creates the dataset becomes its owner. So no `..._iam_member` may add
    to it, and what somebody else adds is drift. Roles have BigQuery's own names, which it gives back for Google's:
    READER is dataViewer, WRITER dataEditor, OWNER dataOwner. Source: BigQuery, "Introduction to partitioned tables" and
    "Control access to datasets"; the provider's documentation of `access`.
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
            access=[
                BigqueryDatasetAccess(role="OWNER", special_group="projectOwners"),
                *(_access("READER", member) for member in readers),
                *(_access("WRITER", member) for member in writers),
            ],
            delete_contents_on_destroy=env.ephemeral,
            deletion_policy=deletion_policy(env),
        )
        on = {"dataset_id": self.dataset.dataset_id}
        for name, table in tables.items():
            self._table(env, name, table, on)

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
