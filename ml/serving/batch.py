"""Predictions of a whole month: features and contracts of training, one version from the first row to the last.

<out>/run.json                  the version and the data the run began with; a resumed run goes on with them
<out>/date=2013-04-01.parquet   keys, prediction, version: a file a day, whole or absent
<out>/done.json                 counts, when every day is there
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from fonderie.core.errors import BadDataError, BadInputError, ConflictError
from fonderie.core.files import write_text
from fonderie.core.home import home
from ml.datasets.months import Month
from ml.datasets.origins import Origin, open_origin
from ml.datasets.parquet import write_parquet
from ml.features.tables import FeatureSet
from ml.models import ModelConfig
from ml.registry import Registry
from ml.serving.scoring.compiled_version import Served, load_version
from ml.serving.scoring.frames import matrix_of

if TYPE_CHECKING:
    import pyarrow as pa

RUN, DONE = "run.json", "done.json"
EPOCH = date(1970, 1, 1).toordinal()


class BatchRun(BaseModel):
    """What a batch run is about; written first, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model: str
    month: str
    version: int
    model_hash: str
    feature_hash: str
    data_hash: str


class BatchDone(BatchRun):
    """A batch run that is over."""

    rows: int
    days: int
    unknown_categories: dict[str, int]  # feature -> rows whose category the version has never seen: read as missing
    folder: str


@dataclass(frozen=True)
class Day:
    """The file of one finished day and its number of rows."""

    day: date
    rows: int
    resumed: bool  # it was there already
    unknown: Counter[str]


def predict_month(
    config: ModelConfig,
    month: Month,
    registry: Registry,
    *,
    version: str | None = None,
    out: Path | None = None,
    fresh: bool = False,
    progress: Callable[[Day], None] = lambda _: None,
    origin: Origin | None = None,
) -> BatchDone:
    """Predict every flight of the month with one version (the champion by default); a run that broke off goes on.

    Raises BadDataError (no such month, or more rows in quarantine than the model allows), BadInputError (no such
    version), ConflictError (a run of another version or of other data lies there; `fresh` begins anew).
    """
    folder = out or home() / "predictions" / config.name / str(month)
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    features = (origin or open_origin()).build(config, [month])
    run = _run(config, month, registry, features, version, folder)
    served = load_version(registry.get(run.version).folder, version=str(run.version), model=config.name)
    days = [_predict_day(day, rows, served, folder, progress) for day, rows in _days(_rows(features, served))]
    unknown = sum((day.unknown for day in days), Counter[str]())
    done = BatchDone(
        **run.model_dump(), rows=sum(day.rows for day in days), days=len(days), unknown_categories=unknown,
        folder=str(folder),
    )  # fmt: skip
    write_text(folder / DONE, done.model_dump_json(indent=2) + "\n")
    return done


def _rows(features: FeatureSet, served: Served) -> pa.Table:
    table = features.table()
    missing = sorted(set(served.schema.names) - set(table.column_names))
    if missing:
        raise BadDataError(
            f"version {served.version} reads unknown features: {', '.join(missing)}",
            where=served.schema.model,
            hint="the model's file has changed since: train it, or name a newer --version",
        )
    return table


def _predict_day(day: date, rows: pa.Table, served: Served, folder: Path, progress: Callable[[Day], None]) -> Day:
    """Write the day's file unless it is there."""
    path = folder / f"date={day.isoformat()}.parquet"
    resumed = path.exists()
    predicted, unknown = _predicted(rows, served)
    if not resumed:
        write_parquet(predicted, path)
    done = Day(day, len(rows), resumed, Counter(unknown))
    progress(done)
    return done


def _run(
    config: ModelConfig, month: Month, registry: Registry, features: FeatureSet, version: str | None, folder: Path
) -> BatchRun:
    """The run that lies in the folder, if this is its continuation, or a new one."""
    known = _read(folder / RUN)
    wanted = registry.get(version or "champion") if known is None or version else registry.get(known.version)
    run = BatchRun(
        model=config.name,
        month=str(month),
        version=wanted.record.version,
        model_hash=wanted.record.model_hash,
        feature_hash=features.feature_hash,
        data_hash=features.data_hash,
    )
    if known is not None and known != run:
        theirs, ours = known.model_dump(), run.model_dump()
        differs = ", ".join(name for name in theirs if theirs[name] != ours[name])
        raise ConflictError(f"this folder holds a run with another {differs}", where=folder, hint="--fresh starts over")
    if known is None:
        write_text(folder / RUN, run.model_dump_json(indent=2) + "\n")
    return run


def _read(path: Path) -> BatchRun | None:
    try:
        return BatchRun.model_validate_json(path.read_bytes()) if path.exists() else None
    except ValidationError:
        raise BadInputError("not a batch run", where=path, hint="--fresh starts over") from None


def _days(table: pa.Table) -> Iterator[tuple[date, pa.Table]]:
    """Rows by their day, in order; the table is sorted by it."""
    numbers = table["day_number"].to_numpy()
    for number in np.unique(numbers):
        start, stop = np.searchsorted(numbers, [number, number + 1])
        yield date.fromordinal(int(number) + EPOCH), table.slice(start, stop - start)


def _predicted(table: pa.Table, served: Served) -> tuple[pa.Table, dict[str, int]]:
    """Keys, prediction and version of the rows; and how many categories were unknown, by feature."""
    import pyarrow as pa

    from ml.features.queries import KEYS

    matrix, unknown = matrix_of(served.schema, table)
    keys = table.select([*KEYS, "day_number"])
    keys = keys.append_column("prediction", pa.array(served.predict(matrix)))
    return keys.append_column("model_version", pa.array([int(served.version)] * len(table), pa.int64())), unknown
