"""What a fitted scikit-learn pipeline is made of: its ensemble, and which field feeds which of its columns as what."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ml.serving.scoring.schema import Field, Kind, Schema, Task


class NotCompiledError(Exception):
    """The pipeline has something an engine cannot hold; another engine serves it."""


@dataclass(frozen=True)
class Feed:
    """A field, the ensemble's input column it feeds, and the value each of its categories arrives there as."""

    field: Field
    column: int
    values: tuple[Hashable, ...] = ()


def read_pipeline(pipeline: Any, *, model: str, task: Task, features: Sequence[str]) -> tuple[Schema, Any, list[Feed]]:
    """Schema (in the ensemble's order), ensemble and feeds of a fitted pipeline of ordinal encoding and trees.

    Raises NotCompiledError: a transformation that is neither an ordinal encoding nor none.
    """
    *before, trees = [step for _, step in pipeline.steps] if hasattr(pipeline, "steps") else [pipeline]
    before = [step for step in before if step is not None and step != "passthrough"]
    if len(before) > 1:
        raise NotCompiledError(f"{len(before)} steps before the trees; one ColumnTransformer can be compiled")
    feeds = {feed.field.name: feed for feed in (_transformed(before[0]) if before else _direct(trees))}
    unknown = sorted(set(features) ^ set(feeds))
    if unknown:
        raise NotCompiledError(f"the pipeline and the model's file disagree on: {', '.join(unknown)}")
    ordered = sorted(feeds.values(), key=lambda feed: feed.column)
    return Schema(model=model, task=task, fields=tuple(feed.field for feed in ordered)), trees, ordered


def _transformed(transformer: Any) -> Iterator[Feed]:
    column = 0
    for name, step, columns in transformer.transformers_:
        if isinstance(step, str) and step == "drop":
            continue
        kind = type(step).__name__
        names = [str(column) for column in columns]
        if kind == "OrdinalEncoder":
            for feature, known in zip(names, step.categories_, strict=True):
                yield _categorical(feature, column, [c for c in known.tolist() if isinstance(c, str)], coded=True)
                column += 1
        elif (isinstance(step, str) and step == "passthrough") or (kind == "FunctionTransformer" and step.func is None):
            for feature in names:
                yield Feed(Field(feature, Kind.NUMERIC), column)
                column += 1
        else:
            raise NotCompiledError(f"step {name!r} ({kind}) is neither an ordinal encoding nor none")


def _direct(trees: Any) -> Iterator[Feed]:
    """The ensemble reads the frame itself: its categories are the strings."""
    encoder = trees._preprocessor.named_transformers_["encoder"] if trees._preprocessor is not None else None
    known = iter(encoder.categories_ if encoder is not None else ())
    for column, name in enumerate(trees.feature_names_in_):
        if trees.is_categorical_ is not None and trees.is_categorical_[column]:
            yield _categorical(str(name), column, [c for c in next(known).tolist() if isinstance(c, str)], coded=False)
        else:
            yield Feed(Field(str(name), Kind.NUMERIC), column)


def _categorical(name: str, column: int, categories: list[str], *, coded: bool) -> Feed:
    values: tuple[Hashable, ...] = tuple(float(i) for i in range(len(categories))) if coded else tuple(categories)
    return Feed(Field(name, Kind.CATEGORICAL, tuple(categories)), column, values)
