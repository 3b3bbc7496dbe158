"""The feature query of a model: one ibis expression, compiled for DuckDB and for BigQuery."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import ibis

from ml.datasets.schema import KEYS, SCHEMAS, Dataset
from ml.features.catalogue import CATALOGUE, Column, Table
from ml.features.lookups import HISTORIES, LOOK_BACK_DAYS, LOOKUPS, Tables, timed
from ml.models import ModelConfig, TaskKind

__all__ = ["KEYS", "ORDER", "compile_sql", "feature_hash", "feature_names", "feature_query", "unbound_tables"]

ORDER = ("day_number", "sched_dep_time", "origin", "carrier", "flight")


def feature_names(config: ModelConfig) -> tuple[str, ...]:
    """The model's features, then what its gate reads that is not among them."""
    return tuple(dict.fromkeys(config.features.names + config.gate.columns))


def unbound_tables() -> Tables:
    """The datasets by schema alone, for compiling without data."""
    return Tables(**{str(name): ibis.table(_ibis_schema(name), name=str(name)) for name in Dataset})


def feature_query(config: ModelConfig, tables: Tables, days: tuple[int, int] | None = None) -> Table:
    """Keys, `day_number`, features, slices and `target`, one row a flight, labelled or not.

    `days` are the first and last day number wanted; the tables may hold more, and history is taken from it.
    """
    names = feature_names(config)
    flights = timed(tables)
    if days:
        flights = flights.filter(flights.day_number >= days[0] - LOOK_BACK_DAYS, flights.day_number <= days[1])
    needs = {need for name in names for need in CATALOGUE[name].needs}
    history = flights
    if days:
        flights = flights.filter(flights.day_number >= days[0])
    lookups = {
        name: lookup(history if name in HISTORIES else flights, tables)
        for name, lookup in LOOKUPS.items()
        if name in needs
    }
    for need, lookup in lookups.items():
        flights = flights.left_join(lookup.table, lookup.keys, rname=f"{{name}}_{need}")
    return flights.select(
        *(key for key in KEYS if key not in names),
        "day_number",
        **{name: CATALOGUE[name].expression(flights) for name in names},
        target=_target(config, flights),
    )


def compile_sql(config: ModelConfig, dialect: str) -> str:
    """The query as SQL over tables `flights`, `weather` and `planes`; for the record and the golden files."""
    return str(ibis.to_sql(feature_query(config, unbound_tables()), dialect=dialect))


def feature_hash(config: ModelConfig) -> str:
    """sha256 of the query as BigQuery reads it: changes when any feature of the model does."""
    return _feature_hash(config.model_dump_json())


@cache
def _feature_hash(config: str) -> str:
    """Compiling takes a tenth of a second, and a loop over months asks dozens of times."""
    sql = compile_sql(ModelConfig.model_validate_json(config), "bigquery")
    return hashlib.sha256(sql.encode()).hexdigest()


def _target(config: ModelConfig, flights: Table) -> Column:
    label = flights[config.target.column]
    if config.task is TaskKind.REGRESSION:
        return label.cast("float64")
    # BigQuery casts no boolean to a float.
    return ibis.cases((label >= config.target.threshold, 1.0), (label < config.target.threshold, 0.0), else_=None)


def _ibis_schema(dataset: Dataset) -> Any:
    return ibis.Schema.from_pyarrow(SCHEMAS[dataset])
