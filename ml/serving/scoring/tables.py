"""Boosted trees as bit tables: every tree of every row at once, without walking one.

QuickScorer (Lucchese et al., SIGIR 2015), in numpy: a tree's leaves are the bits of a word; a node that sends the row
to the right clears the bits of its left subtree; the lowest bit left is the leaf. scikit-learn's histogram trees have
at most 255 thresholds a feature, so all nodes of a feature collapse into one table, (bins, trees) of words, and a row
costs one lookup and one AND a feature. Exact: the same leaves, their values added in another order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.serving.scoring.encoder import Matrix

CHUNK = 256  # rows at a time: the words in work stay in the processor's cache
SINGLE = 5  # up to here row by row is faster
WORDS = {
    np.dtype(np.uint32): (np.float32, np.uint32, 23, 127),
    np.dtype(np.uint64): (np.float64, np.uint64, 52, 1023),
}
"""word -> the float that holds its powers of two exactly, that float's bits, shift and bias of its exponent."""


class Tables:
    """A compiled ensemble. `score` gives raw sums: the link is the scorer's."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """`arrays` as `compile_tables` gives them. Raises ValueError when they do not fit together."""
        self.arrays = dict(arrays)
        self._table = arrays["table"]
        self._leaves = arrays["leaves"]
        self._baseline = float(arrays["baseline"][0])
        starts = arrays["starts"].tolist()
        cuts = np.split(arrays["thresholds"], np.cumsum(arrays["threshold_counts"])[:-1])
        self._categories: list[int] = arrays["category_counts"].tolist()
        trees, width = self._leaves.shape
        if self._table.shape[1] != trees or not len(starts) == len(cuts) == len(self._categories):
            raise ValueError("the shapes of the tables do not match")
        if self._table.dtype not in WORDS or width > 8 * self._table.dtype.itemsize:
            raise ValueError("a tree has more leaves than a word has bits")
        self.features = len(starts)
        self._starts: list[int] = starts
        self._cuts = cuts
        self._cut_lists = [cut.tolist() for cut in cuts]
        self._flat = self._leaves.reshape(-1)
        self._offsets = np.arange(trees) * width

    def score(self, matrix: Matrix) -> NDArray[np.float64]:
        """Raw sums, one a row of `matrix` (rows, features)."""
        if len(matrix) <= SINGLE:
            return np.array([self._score_one(row) for row in matrix.tolist()])
        parts = [self._score_many(matrix[at : at + CHUNK]) for at in range(0, len(matrix), CHUNK)]
        return np.concatenate(parts)

    def _score_one(self, row: list[float]) -> float:
        places = []
        for value, start, cut, categories in zip(row, self._starts, self._cut_lists, self._categories, strict=True):
            if value != value:  # NaN
                places.append(start + (categories or len(cut) + 1))
            elif categories:
                places.append(start + int(value))
            else:
                places.append(start + bisect_left(cut, value))
        words = np.bitwise_and.reduce(self._table[places], axis=0)
        return float(self._flat[self._offsets + _lowest_bit(words)].sum()) + self._baseline

    def _score_many(self, matrix: Matrix) -> NDArray[np.float64]:
        words = self._table[self._places(matrix, 0)]
        for feature in range(1, self.features):
            words &= self._table[self._places(matrix, feature)]
        sums: NDArray[np.float64] = self._flat[self._offsets + _lowest_bit(words)].sum(axis=1)
        return sums + self._baseline

    def _places(self, matrix: Matrix, feature: int) -> NDArray[np.intp]:
        """The row of the table for each value of a feature: its category, its bin, or the last one for NaN."""
        values = matrix[:, feature]
        missing = np.isnan(values)
        if self._categories[feature]:
            places = np.where(missing, self._categories[feature], values).astype(np.intp)
        else:
            places = np.searchsorted(self._cuts[feature], values)
            places[missing] = len(self._cuts[feature]) + 1
        return places + self._starts[feature]


def _lowest_bit(words: NDArray[Any]) -> NDArray[np.intp]:
    """Number of the lowest set bit, read from the exponent of a float."""
    real, bits, shift, bias = WORDS[words.dtype]
    lowest = words & (~words + words.dtype.type(1))
    exponents = lowest.astype(real).view(bits) >> bits(shift)
    places: NDArray[np.intp] = exponents.astype(np.intp) - bias
    return places
