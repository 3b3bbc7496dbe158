"""Columns of the three datasets, and how a table is brought to them: the same for every year and every source."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from fonderie.core.errors import BadDataError
from fonderie.core.toml import near


class Dataset(StrEnum):
    """What there is: flights and weather by month, planes as a whole."""

    FLIGHTS = "flights"
    WEATHER = "weather"
    PLANES = "planes"


_INT, _FLOAT, _TEXT, _TIME = pa.int64(), pa.float64(), pa.string(), pa.timestamp("us", tz="UTC")

FLIGHTS = pa.schema(
    {
        "year": _INT,
        "month": _INT,
        "day": _INT,
        "dep_time": _INT,
        "sched_dep_time": _INT,
        "dep_delay": _FLOAT,
        "arr_time": _INT,
        "sched_arr_time": _INT,
        "arr_delay": _FLOAT,
        "carrier": _TEXT,
        "flight": _INT,
        "tailnum": _TEXT,
        "origin": _TEXT,
        "dest": _TEXT,
        "air_time": _FLOAT,
        "distance": _FLOAT,
        "hour": _INT,
        "minute": _INT,
        "time_hour": _TIME,
    }
)
"""One row a scheduled flight. Clock columns are local (HHMM); `time_hour` is UTC; delays and air_time in minutes,
distance in miles. Source: the documentation of the R package nycflights13."""

WEATHER = pa.schema(
    {
        "origin": _TEXT,
        "year": _INT,
        "month": _INT,
        "day": _INT,
        "hour": _INT,
        "temp": _FLOAT,
        "dewp": _FLOAT,
        "humid": _FLOAT,
        "wind_dir": _FLOAT,
        "wind_speed": _FLOAT,
        "wind_gust": _FLOAT,
        "precip": _FLOAT,
        "pressure": _FLOAT,
        "visib": _FLOAT,
        "time_hour": _TIME,
    }
)
"""One row an airport and hour, on the airport's clock; Fahrenheit, miles an hour, inches, millibars, miles."""

PLANES = pa.schema(
    {
        "tailnum": _TEXT,
        "year": _INT,
        "type": _TEXT,
        "manufacturer": _TEXT,
        "model": _TEXT,
        "engines": _INT,
        "seats": _INT,
        "speed": _FLOAT,
        "engine": _TEXT,
        "as_of_year": _INT,
    }
)
"""One row a plane in the register of `as_of_year`; `year` is when it was made."""

KEYS = ("year", "month", "day", "origin", "carrier", "flight", "sched_dep_time")
"""What names a flight; with `day_number`, the first columns of a feature table."""

SCHEMAS = {Dataset.FLIGHTS: FLIGHTS, Dataset.WEATHER: WEATHER, Dataset.PLANES: PLANES}
_OPTIONAL = {"as_of_year": 0}  # a register without it was always known
_NO_NUMBER = pa.array(["", "NA", "NaN", "null"])


def conform(table: pa.Table, dataset: Dataset, where: Path) -> pa.Table:
    """`table` with exactly the columns and types of `dataset`; NaN becomes null, other columns go.

    Raises BadDataError naming every column that is missing or holds what does not convert.
    """
    schema = SCHEMAS[dataset]
    for name, value in _OPTIONAL.items():
        if name in schema.names and name not in table.column_names:
            table = table.append_column(name, pa.array([value] * len(table), _INT))
    missing = [name for name in schema.names if name not in table.column_names]
    if missing:
        spare = [name for name in table.column_names if name not in schema.names]
        hint = near(missing[0], spare) if spare else f"{dataset} has the columns {', '.join(schema.names)}"
        raise BadDataError(f"columns missing: {', '.join(missing)}", where=where, hint=hint)
    columns, problems = [], []
    for field in schema:
        try:
            columns.append(_convert(table[field.name], field.type))
        except pa.ArrowException:
            problems.append(f"{field.name} is {table[field.name].type}, not {field.type}")
    if problems:
        raise BadDataError(f"columns of the wrong type: {', '.join(problems)}", where=where)
    return pa.table(columns, schema=schema)


def _convert(column: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    """`column` as `target`; raises an ArrowException where a value has no equal in it."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    textual = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if pa.types.is_null(column.type) or column.type == target:
        return _without_nan(column.cast(target))
    if target == _TEXT and not textual:
        raise pa.ArrowInvalid("a number is not text")
    if target == _TIME:
        return column.cast(_TIME) if textual or pa.types.is_temporal(column.type) else _refuse(column)
    if pa.types.is_temporal(column.type) or pa.types.is_boolean(column.type):
        return _refuse(column)
    if textual and target != _TEXT:
        column = pc.if_else(pc.is_in(column, value_set=_NO_NUMBER.cast(column.type)), None, column).cast(_FLOAT)
    return _without_nan(column).cast(target)


def _refuse(column: pa.ChunkedArray) -> pa.ChunkedArray:
    raise pa.ArrowInvalid(f"{column.type} does not convert")


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """NaN is how pandas writes null; one of them is enough."""
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
