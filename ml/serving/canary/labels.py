"""Labels that arrive late, joined with the prediction log: the canary's fourth question.

A label belongs to a row of a request (`x-request-id` of the answer, and the instance's place in it). Only what was
logged can be joined: raise the share of the prediction log during a canary.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fonderie.core.errors import BadDataError
from ml.serving.canary.canary import Canary
from ml.serving.canary.observations import Requests
from ml.serving.server.hosting import Role

COLUMNS = ["request_id", "row", "model", "version", "role", "at", "prediction"]
Labels = Mapping[tuple[str, int], float]
"""(request id, row) -> the label: a number, or 1.0 and 0.0 of a class."""


def read_labels(path: Path) -> Labels:
    """From a Parquet file with columns request_id, row and label. Raises BadDataError."""
    try:
        table = pq.read_table(path, columns=["request_id", "row", "label"])
    except (OSError, ValueError, KeyError) as error:
        raise BadDataError(f"no labels: {error}", where=path, hint="columns request_id, row, label") from None
    table = table.filter(pc.is_valid(table["label"]))
    keys = zip(table["request_id"].to_pylist(), table["row"].to_pylist(), strict=True)
    return dict(zip(keys, map(float, table["label"].to_pylist()), strict=True))


def losses(canary: Canary, log: Path, labels: Labels) -> Requests:
    """Absolute errors of both versions since the step began, in the order they were logged; nothing else is known."""
    errors = [
        (row["role"], abs(row["prediction"] - labels[row["request_id"], row["row"]]))
        for row in _logged(canary, log, canary.step.started)
        if (row["request_id"], row["row"]) in labels
    ]
    roles = np.array([role for role, _ in errors], dtype=object)
    values = np.array([error for _, error in errors], dtype=np.float64)
    unknown = np.full(len(errors), np.nan)
    return Requests(
        unknown,
        unknown,
        unknown,
        unknown,
        unknown,
        np.where(roles == Role.CHAMPION, values, np.nan),
        np.where(roles == Role.CHALLENGER, values, np.nan),
    )


def _logged(canary: Canary, log: Path, since: datetime) -> list[dict[str, Any]]:
    """Rows of the two versions since then, oldest first."""
    files = sorted(file for file in log.glob("date=*/*.parquet") if file.parent.name >= f"date={since.date()}")
    versions = {(str(Role.CHAMPION), canary.champion), (str(Role.CHALLENGER), canary.challenger)}
    rows = [row for file in files for row in pq.read_table(file, columns=COLUMNS).to_pylist()]
    kept = [row for row in rows if row["model"] == canary.model and (row["role"], row["version"]) in versions]
    return sorted(
        (row for row in kept if row["at"] >= since), key=lambda row: (row["at"], row["request_id"], row["row"])
    )
