"""What a model wants to be asked: its features by name, in order, with the categories it knows."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

FIELD = re.compile(r"[^\x00-\x1f`]{1,128}")


class Kind(StrEnum):
    """How a feature is read: a number, or one of a closed list of strings."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class Task(StrEnum):
    """What a prediction is: a number in the target's unit, or the probability of the positive class."""

    REGRESSION = "regression"
    CLASSIFICATION = "classification"


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One feature. `categories` are in code order: the first is 0.0 in the encoded row; null is NaN."""

    name: str
    kind: Kind
    categories: tuple[str, ...] = ()


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The features of a model in the order of the encoded row. Raises ValueError when it is none."""

    model: str
    task: Task
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        """Refuse what no request could satisfy."""
        if not self.fields:
            raise ValueError("a schema needs at least one feature")
        if len(set(self.names)) < len(self.fields):
            raise ValueError("a feature is named twice")
        for field in self.fields:
            if not FIELD.fullmatch(field.name):
                raise ValueError(f"invalid feature name {field.name!r}")
            if (field.kind is Kind.CATEGORICAL) != bool(field.categories):
                raise ValueError(f"feature {field.name!r}: categories belong to categorical features, at least one")

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names in the order of the encoded row."""
        return tuple(field.name for field in self.fields)
