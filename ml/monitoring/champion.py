"""The champion, from the registry: its pipeline, its reference, and what its gate measured."""

from __future__ import annotations

from fonderie.core.errors import BadDataError, BadInputError
from ml.datasets.months import Month
from ml.models import ModelConfig
from ml.monitoring.monitor import Champion, champion_of
from ml.registry import ModelRecord, Registry, Version


def champion_version(registry: Registry) -> Version:
    """The champion. Raises BadInputError: there is none, or the version that should be it has vanished."""
    number = registry.aliases().champion
    if number is None:
        hint = f"fonderie run training {registry.model} --month YYYY-MM"
        raise BadInputError(f"{registry.model} has no champion to monitor", hint=hint)
    try:
        return registry.get(number)
    except BadInputError as error:
        hint = f"fonderie models rollback {registry.model} --reason REASON"
        raise BadInputError(f"the champion cannot be read: {error.what}", where=error.where, hint=hint) from error


def load_champion(config: ModelConfig, version: Version) -> tuple[ModelConfig, Champion]:
    """The champion, and `config` with the features that it reads, which may not be those of today's file.

    Raises BadDataError for a damaged model or reference.
    """
    from ml.datasets.parquet import read_parquet
    from ml.training import artefact
    from ml.training.fit import predict

    record = version.record
    if record.metrics.metric is None:
        raise BadDataError("its gate recorded no measurement", where=f"{record.model} {record.label}")
    pipeline = artefact.load_model(version.model_path, record.model_hash)
    trained = as_trained(config, record)
    names = list(trained.features.names)
    champion = champion_of(
        trained,
        record.version,
        lambda rows: predict(pipeline, rows[names]),
        read_parquet(version.folder / record.reference_file).to_pandas(),
        gate_metric=record.metrics.metric,
        months=map(Month.parse, record.training_months),
        training_rows=record.training_rows,
        worst_ratio=_worst_ratio(config, record),
    )
    return trained, champion


def _worst_ratio(config: ModelConfig, record: ModelRecord) -> float | None:
    """Of the champion's loss to the naive feature's: one less the low end of the gain that its gate measured."""
    metric = str(config.gate.metric)
    gains = [each.gain for each in record.metrics.baselines if each.name == config.gate.naive_feature]
    ends = [gain.interval.low for gain in gains if gain.metric == metric and gain.interval is not None]
    return 1 - ends[0] if ends else None


def as_trained(config: ModelConfig, record: ModelRecord) -> ModelConfig:
    """`config` with the features of the record."""
    kinds = {
        kind: tuple(column.name for column in record.features if column.kind == kind)
        for kind in ("numeric", "categorical")
    }
    return config.model_copy(update={"features": config.features.model_copy(update=kinds)})
