"""A request's JSON to a matrix: the schema is compiled once, a row then costs a few microseconds.

msgspec decodes and checks in one pass (https://jcristharif.com/msgspec/): a body is never a tree of dicts here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from ml.serving.scoring.schema import Field, Kind, Schema

Matrix: TypeAlias = NDArray[np.float64]
"""Shape (rows, features): numbers as they are, categories as their code, missing values as NaN."""

PLACE = re.compile(r"^(?P<reason>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
MISSING = re.compile(r"^Object missing required field `(?P<field>[^`]*)`$")


class BodyError(Exception):
    """A request's body is wrong: `reason` in words, `path` the JSON path of the offending value ("$" is the body)."""

    def __init__(self, reason: str, path: str = "$", status: int = 400) -> None:
        """`status` is the HTTP status, always a 4xx."""
        super().__init__(f"{path}: {reason}")
        self.reason = reason
        self.path = path
        self.status = status


class Encoder:
    """Compiled from a schema: `decode` a JSON body, `encode` parsed instances; both to a Matrix."""

    def __init__(self, schema: Schema, *, max_instances: int = 1000) -> None:
        """`max_instances` bounds what one body may ask."""
        self.schema = schema
        self._row = _row_type(schema)
        array = Annotated[list[self._row], msgspec.Meta(min_length=1, max_length=max_instances)]  # type: ignore[name-defined]  # made at run time
        body = msgspec.defstruct("Body", [("instances", array)], gc=False)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(body)
        self._codes = [_coder(field) for field in schema.fields]
        self._categorical = [column for column, code in enumerate(self._codes) if code is not None]

    def decode(self, body: bytes) -> Matrix:
        """The matrix of `{"instances": [...]}`. Raises BodyError; never anything else, whatever the bytes are."""
        try:
            instances = self._decoder.decode(body).instances
        except msgspec.ValidationError as error:
            raise _placed(error) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BodyError(f"the body is not JSON: {_worded(str(error))}") from None
        except RecursionError:
            raise BodyError("the body is nested too deeply") from None
        return self._matrix(instances)

    def encode(self, instances: Sequence[Mapping[str, Any]]) -> Matrix:
        """The matrix of parsed instances. Raises BodyError with the path of the offending field."""
        try:
            rows = msgspec.convert(list(instances), list[self._row])  # type: ignore[name-defined]  # made at run time
        except msgspec.ValidationError as error:
            raise _placed(error, prefix="$.instances") from None
        return self._matrix(rows)

    def _matrix(self, instances: list[Any]) -> Matrix:
        rows = [list(msgspec.structs.astuple(instance)) for instance in instances]
        for column in self._categorical:
            code = self._codes[column]
            assert code is not None
            for row in rows:
                row[column] = code(row[column])
        return np.array(rows, dtype=np.float64)


def _row_type(schema: Schema) -> type[msgspec.Struct]:
    """A struct with one typed, required field a feature; unknown fields are passed over (another version's, say)."""
    fields = [(f"f{index}", _value_type(field)) for index, field in enumerate(schema.fields)]
    names = {f"f{index}": field.name for index, field in enumerate(schema.fields)}
    return msgspec.defstruct("Instance", fields, rename=names, gc=False)


def _value_type(field: Field) -> Any:
    if field.kind is Kind.NUMERIC:
        return float | None
    return Literal[field.categories] | None


def _coder(field: Field) -> Callable[[Any], float | None] | None:
    if field.kind is Kind.NUMERIC:
        return None
    return {category: float(code) for code, category in enumerate(field.categories)}.get


def _placed(error: Exception, prefix: str = "$") -> BodyError:
    match = PLACE.match(str(error))
    assert match is not None  # the pattern matches any text
    path = prefix + (match["path"] or "$").removeprefix("$")
    missing = MISSING.match(match["reason"])
    if missing:
        return BodyError("required, but missing", f"{path}.{missing['field']}")
    return BodyError(_worded(match["reason"]), path)


def _worded(reason: str) -> str:
    """msgspec's words without its quoting, cut to a length an answer may carry."""
    reason = reason.replace("`", "").replace("Invalid enum value", "unknown category")
    return reason if len(reason) <= 300 else reason[:297] + "..."
