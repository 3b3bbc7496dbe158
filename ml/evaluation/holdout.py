"""Which rows a challenger learns from and which it is measured on: the month's last days are never trained on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from fonderie.core.errors import BadDataError
from ml.datasets.months import Month
from ml.features.catalogue import CATALOGUE, FeatureKind
from ml.features.tables import day_number
from ml.models import ModelConfig
from ml.registry import Registry, SchemaColumn


@dataclass(frozen=True)
class Split:
    """Labelled rows only, sorted as they came; every day of `training` lies before every day of `holdout`."""

    training: pa.Table
    holdout: pa.Table
    trained_until: date
    holdout_from: date


def split(table: pa.Table, month: Month, fraction: float) -> Split:
    """Cut a feature table (columns `day_number`, `target`) before the month's tail of `fraction` of its days.

    Raises BadDataError when a side has no labelled row.
    """
    first = month.first_day.replace(day=month.holdout_from(fraction))
    labelled = table.filter(pc.is_valid(table["target"]))
    days = labelled["day_number"]
    training = labelled.filter(pc.less(days, day_number(first)))
    within = pc.and_(pc.greater_equal(days, day_number(first)), pc.less_equal(days, day_number(month.last_day)))
    holdout = labelled.filter(within)
    if len(training) == 0 or len(holdout) == 0:
        side = "train on" if len(training) == 0 else "hold out"
        raise BadDataError(f"no labelled rows to {side}", where=str(month), hint=f"the holdout begins on {first}")
    last = date(1970, 1, 1) + timedelta(days=int(pc.max(training["day_number"]).as_py()))
    return Split(training, holdout, last, first)


def with_features(config: ModelConfig, registry: Registry) -> ModelConfig:
    """The configuration with the features that only the champion reads, so that it can be scored on the same rows.

    A feature that left the catalogue cannot be computed any more; the evaluation says so then.
    """
    champion = registry.aliases().champion
    if champion is None:
        return config
    missing = [each for each in registry.get(champion).record.features if each.name not in config.features.names]
    known = {kind: tuple(each.name for each in missing if _computable(each, kind)) for kind in FeatureKind}
    if not any(known.values()):
        return config
    features = config.features.model_copy(
        update={
            "numeric": config.features.numeric + known[FeatureKind.NUMERIC],
            "categorical": config.features.categorical + known[FeatureKind.CATEGORICAL],
        }
    )
    return config.model_copy(update={"features": features})


def _computable(column: SchemaColumn, kind: FeatureKind) -> bool:
    return column.kind == kind and column.name in CATALOGUE and CATALOGUE[column.name].kind is kind
