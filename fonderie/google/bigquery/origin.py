"""A dataset in BigQuery as the place that months come from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa

from fonderie.core.errors import BadInputError
from fonderie.core.home import home
from fonderie.google import Access
from fonderie.google.bigquery.breaches import with_reasons
from fonderie.google.bigquery.jobs import Jobs, Limit
from fonderie.google.bigquery.survey import reports, survey_query
from fonderie.google.bigquery.tables import rows_of, table_of
from ml.datasets.contracts import ContractReport
from ml.datasets.months import Month
from ml.datasets.schema import SCHEMAS, Dataset
from ml.datasets.sources import latest_of, require_in
from ml.features.lookups import Tables
from ml.features.queries import ORDER, feature_hash, feature_query
from ml.features.tables import FeatureSet, batches, by_month, day_number, with_history
from ml.models import ModelConfig

FORM = "bigquery://PROJECT/REGION/DATASET"


class BigQueryOrigin:
    """Months in the partitions of `flights` and `weather`; features come back, rows do not."""

    def __init__(self, access: Access, dataset: str, labels: dict[str, str] | None = None) -> None:
        self.project, self.dataset = access.project, dataset
        self.jobs = Jobs(access, dict(labels or {}))

    @classmethod
    def parse(cls, address: str) -> BigQueryOrigin:
        """Parse `bigquery://PROJECT/REGION/DATASET`. Raises BadInputError."""
        match = re.fullmatch(r"bigquery://([a-z0-9.:-]+)/([a-z0-9-]+)/(\w{1,1024})", address)
        if match is None:
            raise BadInputError(f"{address!r} is not a BigQuery dataset", hint=f"write {FORM}")
        return cls(Access.from_environment(match[1], match[2]), match[3], {"asked-by": "fonderie"})

    @property
    def place(self) -> str:
        """The dataset as messages show it."""
        return f"{self.project}.{self.dataset}"

    @cached_property
    def _months(self) -> list[Month]:
        sql = (
            f"SELECT partition_id FROM `{self.project}.{self.dataset}.INFORMATION_SCHEMA.PARTITIONS`"
            f" WHERE table_name = '{Dataset.FLIGHTS}' AND total_rows > 0 AND LENGTH(partition_id) = 6"
        )
        found = self.jobs.table(sql)["partition_id"].to_pylist()
        return sorted(Month(int(name[:4]), int(name[4:])) for name in found)

    def months(self) -> list[Month]:
        """Months there are flights for, in order; asked once."""
        return list(self._months)

    def require(self, months: Iterable[Month]) -> None:
        """Raises BadDataError naming the months there are, unless all of `months` are among them."""
        require_in(self.months(), months, self.place, empty="load some: fonderie data load --env ENV")

    def latest(self, month: Month, count: int) -> list[Month]:
        """`month` and the months with data before it, `count` in all at most, in order. Raises BadDataError."""
        self.require([month])
        return latest_of(self.months(), month, count)

    def check(self, config: ModelConfig, months: Iterable[Month]) -> list[ContractReport]:
        """Counts by reason of the months' partitions and of the planes, each within the model's limit."""
        wanted = sorted(set(months))
        self.require(wanted)
        found = []
        for dataset in Dataset:
            answer = self.jobs.table(self.survey_sql(dataset, wanted), limit_of(config)).to_pylist()
            found += sorted(reports(answer, dataset, f"{self.place}.{dataset}"), key=lambda each: each.partition)
        for report in found:
            report.require(config.data.max_quarantined_fraction)
        return found

    def build(self, config: ModelConfig, months: Iterable[Month]) -> FeatureSet:
        """As `ml.features.tables.build`: features of `months`, one file a month; only what is not at hand is asked."""
        wanted = sorted(set(months))
        read = with_history(wanted, self)
        checked = self.check(config, read)
        made = feature_hash(config)
        paths = {month: self._path(config, month, made, checked) for month in wanted}
        rows = {report.partition: report.rows for report in checked if report.dataset is Dataset.FLIGHTS}
        for batch in batches([month for month in wanted if not paths[month].exists()], rows):
            by_month(self._ask(config, batch), batch, paths)
        return FeatureSet(
            tuple(wanted),
            tuple(paths.values()),
            config.features.names,
            config.features.categorical,
            made,
            _digest(checked),
            tuple(checked),
        )

    def estimate(self, config: ModelConfig, months: Iterable[Month]) -> dict[str, int]:
        """Bytes that each query of a build would read, by what it is for. Nothing is run."""
        wanted = sorted(set(months))
        read = with_history(wanted, self)
        asked = {f"contract of {dataset}": self.survey_sql(dataset, read) for dataset in Dataset}
        asked["features"] = self.feature_sql(config, wanted)
        return {what: self.jobs.estimate(sql) for what, sql in asked.items()}

    def survey_sql(self, dataset: Dataset, months: Sequence[Month]) -> str:
        """The SQL that `check` runs over the partitions."""
        return _sql(survey_query(table_of(self.project, self.dataset, dataset), dataset, months))

    def feature_sql(self, config: ModelConfig, months: Sequence[Month]) -> str:
        """The query of `build`: the model's feature query over the clean rows of the partitions it needs."""
        return _sql(self._expression(config, months))

    def _expression(self, config: ModelConfig, months: Sequence[Month]) -> Any:
        read = with_history(months, self)
        tables = Tables(**{str(dataset): self._clean(dataset, read) for dataset in Dataset})
        return feature_query(config, tables, (day_number(months[0].first_day), day_number(months[-1].last_day)))

    def _clean(self, dataset: Dataset, months: Sequence[Month]) -> Any:
        rows = with_reasons(rows_of(table_of(self.project, self.dataset, dataset), months), dataset, months)
        return rows.filter(~rows.broken).select(*SCHEMAS[dataset].names)

    def _ask(self, config: ModelConfig, months: Sequence[Month]) -> pa.Table:
        """Sorted by departure: here, because a sort of everything puts it on one of BigQuery's workers."""
        expression = self._expression(config, months)
        answer = self.jobs.table(_sql(expression), limit_of(config))
        return answer.cast(expression.schema().to_pyarrow()).sort_by([(name, "ascending") for name in ORDER])

    def _path(self, config: ModelConfig, month: Month, made: str, checked: Sequence[ContractReport]) -> Path:
        read = {"all", *map(str, with_history([month], self))}
        key = _digest([report for report in checked if report.partition in read], made, self.place)[:16]
        return home() / "cache" / "features" / config.name / f"{month}-{key}.parquet"


def limit_of(config: ModelConfig) -> Limit:
    """The query limit, in bytes, that the model's file sets."""
    return Limit(config.data.max_bytes_billed, f"ml/models/{config.name}.toml: data.max_bytes_billed")


def _sql(expression: Any) -> str:
    return str(ibis.to_sql(expression, dialect="bigquery"))


def _digest(checked: Sequence[ContractReport], *more: str) -> str:
    lines: Iterator[str] = (f"{each.dataset} {each.partition} {each.source_hash}" for each in checked)
    return hashlib.sha256("\n".join([*more, *lines]).encode()).hexdigest()
