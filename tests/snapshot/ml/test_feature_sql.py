"""The same features on BigQuery: golden SQL a model, its equality with DuckDB's answer, and BigQuery's own rules.

After a wanted change: `pytest tests/snapshot/ml --snapshot-update`, then read the difference.
"""

from __future__ import annotations

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from ml.datasets.months import Month
from ml.datasets.schema import SCHEMAS, Dataset
from ml.features.queries import compile_sql
from ml.models import ModelConfig, list_models, load_model
from tests.unit.ml.datasets.everything import everything, features_of, invented_tables

CONFIGS = [*map(load_model, list_models()), everything()]
BIGQUERY_TYPES = {"int64": "INT64", "double": "FLOAT64", "string": "STRING"}
# Functions of BigQuery that the queries may use; sqlglot knows the others by their own class.
FUNCTIONS = {"IEEE_DIVIDE"}


class Sql(SingleFileSnapshotExtension):
    _write_mode = WriteMode.TEXT
    file_extension = "sql"


@pytest.fixture(params=CONFIGS, ids=lambda config: config.name)
def config(request: pytest.FixtureRequest) -> ModelConfig:
    return request.param


def test_the_sql_for_bigquery_is_the_reviewed_one(config: ModelConfig, snapshot: SnapshotAssertion) -> None:
    assert compile_sql(config, "bigquery") + "\n" == snapshot(extension_class=Sql)


def test_the_sql_for_bigquery_answers_as_duckdb_does(config: ModelConfig) -> None:
    tables = {
        name: pa.Table.from_pandas(frame[SCHEMAS[name].names], schema=SCHEMAS[name], preserve_index=False)
        for name, frame in invented_tables([Month(2013, 2), Month(2013, 3)]).items()
    }
    here = features_of(config, tables).to_pandas()
    there = run_as_bigquery(compile_sql(config, "bigquery"), tables)
    order = ["day_number", "flight"]
    pd.testing.assert_frame_equal(
        there[here.columns].sort_values(order, ignore_index=True),
        here.sort_values(order, ignore_index=True),
        check_exact=True,
        check_dtype=False,
    )


def run_as_bigquery(sql: str, tables: dict[Dataset, pa.Table]) -> pd.DataFrame:
    """The answer of BigQuery's SQL, translated for DuckDB by sqlglot, which knows all of it but one function."""
    with duckdb.connect() as connection:
        connection.execute("create macro ieee_divide(a, b) as a / b")
        for name, table in tables.items():
            connection.register(str(name), table)
        (translated,) = sqlglot.transpile(sql, read="bigquery", write="duckdb")
        return connection.execute(translated).to_arrow_table().to_pandas()


@pytest.fixture
def tree(config: ModelConfig) -> exp.Expression:
    return typed(compile_sql(config, "bigquery"))


def typed(sql: str) -> exp.Expression:
    """BigQuery's SQL with the type of every expression, as far as sqlglot can tell."""
    schema = {
        str(name): {field.name: BIGQUERY_TYPES.get(str(field.type), "TIMESTAMP") for field in SCHEMAS[name]}
        for name in Dataset
    }
    tree = qualify(sqlglot.parse_one(sql, read="bigquery"), schema=schema, dialect="bigquery")
    return annotate_types(tree, schema=schema, dialect="bigquery")


def unordered_ranges(tree: exp.Expression) -> list[str]:
    """RANGE windows that BigQuery refuses: it wants exactly one ORDER BY key, a number, and numeric bounds."""
    wrong = []
    for window in tree.find_all(exp.Window):
        spec, order = window.args.get("spec"), window.args.get("order")
        if spec is None or spec.args["kind"].upper() != "RANGE":
            continue
        keys = [key.this for key in order.expressions] if order else []
        if len(keys) != 1 or not keys[0].is_type(*exp.DataType.INTEGER_TYPES) or spec.find(exp.Interval):
            wrong.append(window.sql("bigquery"))
    return wrong


def boolean_casts(tree: exp.Expression) -> list[str]:
    """Casts that BigQuery refuses: a boolean becomes an integer or text, never a float."""
    casts = [cast for cast in tree.find_all(exp.Cast) if cast.to.is_type("DOUBLE", "FLOAT")]
    return [cast.sql("bigquery") for cast in casts if cast.this.is_type("BOOLEAN")]


def test_range_windows_order_by_one_whole_number(tree: exp.Expression) -> None:
    assert unordered_ranges(tree) == []


def test_no_boolean_is_cast_to_a_float(tree: exp.Expression) -> None:
    assert boolean_casts(tree) == []


def test_only_functions_of_bigquery_are_called(tree: exp.Expression) -> None:
    assert {call.name.upper() for call in tree.find_all(exp.Anonymous)} <= FUNCTIONS


@pytest.mark.parametrize(
    "window",
    [
        "order by time_hour range between interval 28 day preceding and current row",
        "order by origin range between 28 preceding and current row",
        "order by day, hour range between 28 preceding and current row",
    ],
)
def test_the_rule_on_range_windows_finds_what_bigquery_refuses(window: str) -> None:
    assert len(unordered_ranges(typed(f"select sum(air_time) over ({window}) from flights"))) == 1


def test_the_rule_on_casts_finds_what_bigquery_refuses() -> None:
    assert len(boolean_casts(typed("select cast(air_time > 5 as float64) as late from flights"))) == 1
