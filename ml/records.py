"""Records that outlive the code that wrote them: what each one carries, and how it is read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from fonderie.core.errors import BadDataError

FORMAT_VERSION = 2
"""Of the records that this code writes; it reads those up to it."""


class NewerFormatError(BadDataError):
    """A record was written by a later release."""


class Record(BaseModel):
    """Base of the registry's, the gate's and the monitor's records: frozen, and no key is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", protected_namespaces=())

    format_version: int = Field(
        default=FORMAT_VERSION, ge=1, description="1 also in files from before there was this field"
    )

    @model_validator(mode="before")
    @classmethod
    def _is_not_newer(cls, values: Any, info: ValidationInfo) -> Any:
        if info.mode == "json" and isinstance(values, dict):
            values = {"format_version": 1, **values}
        version = values.get("format_version") if isinstance(values, Mapping) else None
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise NewerFormatError(
                f"format_version {version} is newer than {FORMAT_VERSION}, the latest that this release reads",
                hint="use the release that wrote it, or a later one",
            )
        return values


Kind = TypeVar("Kind", bound=BaseModel)


def parse_record(kind: type[Kind], text: bytes | str, *, what: str, where: str | Path, hint: str) -> Kind:
    """A record from JSON. Raises BadDataError: `what` with `hint`, or that it is newer."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise BadDataError(what, where=where, hint=hint) from error
    except NewerFormatError as error:
        raise NewerFormatError(error.what, where=where, hint=error.hint) from error
