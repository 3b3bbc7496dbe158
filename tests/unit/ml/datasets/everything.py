"""A model that uses the whole feature catalogue, so that a new feature is under every test here from its first day."""

from __future__ import annotations

from collections.abc import Mapping

import ibis
import pandas as pd
import pyarrow as pa

from ml.datasets.months import Month
from ml.datasets.schema import SCHEMAS, Dataset
from ml.features.catalogue import CATALOGUE, FeatureKind
from ml.features.lookups import Tables
from ml.features.queries import ORDER, feature_query
from ml.models import ModelConfig, load_model
from tests import flights as invented


def everything() -> ModelConfig:
    """air_time with every feature there is."""
    config = load_model("air_time")
    names = {kind: tuple(name for name in CATALOGUE if CATALOGUE[name].kind is kind) for kind in FeatureKind}
    features = {"numeric": names[FeatureKind.NUMERIC], "categorical": names[FeatureKind.CATEGORICAL]}
    return config.model_copy(update={"features": config.features.model_copy(update=features), "name": "everything"})


def invented_tables(months: list[Month], *, per_day: int = 25) -> dict[Dataset, pd.DataFrame]:
    """The three datasets in memory."""
    return {
        Dataset.FLIGHTS: pd.concat([invented.flights(m, per_day=per_day) for m in months], ignore_index=True),
        Dataset.WEATHER: pd.concat([invented.weather(m) for m in months], ignore_index=True),
        Dataset.PLANES: invented.planes().assign(as_of_year=0),
    }


def features_of(config: ModelConfig, tables: Mapping[Dataset, pa.Table]) -> pa.Table:
    """The features of flights in memory, by the product's query; windows look back as far as the flights do."""
    connection = ibis.duckdb.connect()
    bound = {str(name): connection.create_table(str(name), table) for name, table in tables.items()}
    return feature_query(config, Tables(**bound)).order_by(ORDER).to_pyarrow()


def computed(config: ModelConfig, frames: dict[Dataset, pd.DataFrame]) -> pd.DataFrame:
    """The features of these rows, by the names of their flights."""
    tables = {
        name: pa.Table.from_pandas(frame[SCHEMAS[name].names], schema=SCHEMAS[name], preserve_index=False)
        for name, frame in frames.items()
    }
    return features_of(config, tables).to_pandas().set_index(["day_number", "flight"]).sort_index()
