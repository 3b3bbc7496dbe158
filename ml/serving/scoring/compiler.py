"""scikit-learn's histogram gradient boosting to bit tables (`ml/serving/scoring/tables.py`)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.serving.scoring.pipeline_parts import Feed, NotCompiledError
from ml.serving.scoring.schema import Kind

IDENTITY_LOSSES = ("squared_error", "absolute_error", "quantile")


def compile_tables(trees: Any, feeds: Sequence[Feed]) -> dict[str, NDArray[Any]]:
    """Arrays for `Tables` of a fitted HistGradientBoosting regressor or binary classifier.

    Raises NotCompiledError: several classes, a log link, more than 64 leaves.
    """
    predictors = [_only(iteration) for iteration in trees._predictors]
    _check_link(trees)
    leaves = max(predictor.get_n_leaf_nodes() for predictor in predictors)
    if leaves > 64:
        raise NotCompiledError(f"a tree has {leaves} leaves, more than the 64 bits of a word")
    word = np.uint32 if leaves <= 32 else np.uint64
    internal = _internal_columns(trees)
    blocks = [_Block(feed, internal[feed.column], predictors, word) for feed in feeds]
    values = np.zeros((len(predictors), leaves))
    by_column = {block.column: block for block in blocks}
    for number, predictor in enumerate(predictors):
        _Tree(number, predictor, by_column, values[number], word).walk(0)
    for block in blocks:
        block.close(_category_codes(trees, block.column, internal))
    return {
        "table": np.concatenate([block.table for block in blocks]),
        "starts": np.cumsum([0] + [len(block.table) for block in blocks[:-1]]),
        "thresholds": np.concatenate([block.thresholds for block in blocks]),
        "threshold_counts": np.array([len(block.thresholds) for block in blocks]),
        "category_counts": np.array([len(block.feed.field.categories) for block in blocks]),
        "leaves": values,
        "baseline": np.ravel(trees._baseline_prediction).astype(np.float64)[:1],
    }


def _only(iteration: Sequence[Any]) -> Any:
    if len(iteration) != 1:
        raise NotCompiledError("several trees an iteration: more than two classes")
    return iteration[0]


def _check_link(trees: Any) -> None:
    loss = trees.loss
    if loss not in (*IDENTITY_LOSSES, "log_loss"):
        raise NotCompiledError(f"loss {loss!r} has neither an identity nor a logit link")


def _internal_columns(trees: Any) -> list[int]:
    """Input column -> column of the nodes: with categories, scikit-learn puts those first."""
    total = trees.n_features_in_
    if getattr(trees, "_preprocessor", None) is None or trees.is_categorical_ is None:
        return list(range(total))
    first = np.asarray(trees.is_categorical_, dtype=bool)
    order: list[int] = np.argsort(~first, kind="stable").tolist()
    return [order.index(column) for column in range(total)]


def _category_codes(trees: Any, column: int, internal: Sequence[int]) -> dict[Hashable, int]:
    """Code in the ensemble's input -> code in its nodes, for an internal column."""
    if trees.is_categorical_ is None or getattr(trees, "_preprocessor", None) is None:
        return {}
    source = internal.index(column)
    categorical: list[int] = np.flatnonzero(trees.is_categorical_).tolist()
    if source not in categorical:
        return {}
    known = trees._preprocessor.named_transformers_["encoder"].categories_[categorical.index(source)]
    return {code: place for place, code in enumerate(known.tolist()) if code == code}


class _Block:
    """The part of the table that belongs to one feature: a row a bin (or category), the last one for missing."""

    def __init__(self, feed: Feed, column: int, predictors: Sequence[Any], word: Any) -> None:
        self.feed = feed
        self.kind = feed.field.kind
        self.column = column
        self.word = word
        self.trees = len(predictors)
        self.nodes: list[tuple[int, Any, int, NDArray[np.uint32]]] = []
        own = [p.nodes[(p.nodes["feature_idx"] == column) & (p.nodes["is_leaf"] == 0)] for p in predictors]
        cuts = np.concatenate([nodes["num_threshold"][nodes["is_categorical"] == 0] for nodes in own])
        self.thresholds = np.unique(cuts) if self.kind is Kind.NUMERIC else np.zeros(0)
        self.table = np.zeros((0, self.trees), dtype=word)

    def add(self, tree: int, node: Any, keep: int, left: NDArray[np.uint32]) -> None:
        """A node of this feature: going right leaves only the leaves in `keep`."""
        if bool(node["is_categorical"]) != (self.kind is Kind.CATEGORICAL):
            raise NotCompiledError(f"the trees do not split {self.feed.field.name!r} as {self.kind}")
        self.nodes.append((tree, node, keep, left))

    def close(self, codes: dict[Hashable, int]) -> None:
        """Collapse the nodes into the table."""
        if self.kind is Kind.CATEGORICAL:
            values = [codes.get(value) for value in self.feed.values]
        else:
            values = [*range(len(self.thresholds) + 1)]
        self.table = np.full((len(values) + 1, self.trees), np.iinfo(self.word).max, dtype=self.word)
        for tree, node, keep, left in self.nodes:
            if self.kind is Kind.CATEGORICAL:
                right = [self._goes_right(node, left, value) for value in values]
            else:
                right = (np.arange(len(values)) > np.searchsorted(self.thresholds, node["num_threshold"])).tolist()
            self.table[[*right, not node["missing_go_to_left"]], tree] &= self.word(keep)

    def _goes_right(self, node: Any, left: NDArray[np.uint32], code: int | None) -> bool:
        if code is None:  # a category the trees have never seen is read as missing
            return not node["missing_go_to_left"]
        return not int(left[code // 32]) >> (code % 32) & 1


class _Tree:
    """Numbers the leaves of one tree from the left and hands its nodes to their features."""

    def __init__(
        self, number: int, predictor: Any, blocks: dict[int, _Block], values: NDArray[np.float64], word: Any
    ) -> None:
        self.number = number
        self.nodes = predictor.nodes
        self.bitsets = predictor.raw_left_cat_bitsets
        self.blocks = blocks
        self.values = values
        self.everything = int(np.iinfo(word).max)
        self.seen = 0

    def walk(self, place: int) -> None:
        """Visit the subtree at `place`, left before right."""
        node = self.nodes[place]
        if node["is_leaf"]:
            self.values[self.seen] = node["value"]
            self.seen += 1
            return
        first = self.seen
        self.walk(int(node["left"]))
        keep = self.everything & ~((1 << self.seen) - (1 << first))
        left = self.bitsets[node["bitset_idx"]] if node["is_categorical"] else np.zeros(8, dtype=np.uint32)
        self.blocks[int(node["feature_idx"])].add(self.number, node, keep, left)
        self.walk(int(node["right"]))
