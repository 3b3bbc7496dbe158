"""Slices of held-out rows: every row is in exactly one slice of each dimension, and none is too small to compare."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

SMALL = "(small)"
UNKNOWN = "(unknown)"


def slices(rows: pa.Table, dimension: str, min_rows: int) -> dict[str, NDArray[np.int64]]:
    """Value -> positions of its rows, sorted by value.

    Values with fewer than `min_rows` rows are pooled as `(small)`, together with the next smallest ones until the pool
    is large enough: leaving them out would let a model regress there unseen. It depends on the rows alone, so both
    models get the same slices.
    """
    values = np.array([UNKNOWN if value is None else str(value) for value in rows[dimension].to_pylist()], dtype=object)
    names, inverse, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    pooled: list[int] = []
    size = 0
    for place in np.argsort(counts, kind="stable").tolist():
        if counts[place] >= min_rows and (not pooled or size >= min_rows):
            break
        pooled.append(place)
        size += int(counts[place])
    if len(pooled) == 1:  # it stands alone: large enough by itself, or all there is
        pooled = []
    found = {str(names[place]): np.flatnonzero(inverse == place) for place in range(len(names)) if place not in pooled}
    if pooled:
        found[SMALL] = np.flatnonzero(np.isin(inverse, pooled))
    return dict(sorted(found.items()))
