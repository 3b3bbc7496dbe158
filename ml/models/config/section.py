"""What every section of a model's file is: frozen, strict, no key it does not know."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Base of the sections; values are finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


Fraction = Annotated[float, Field(ge=0, le=1)]
"""A share between 0 and 1, both included."""

Positive = Annotated[int, Field(ge=1)]
"""A count of at least one."""

Months = Annotated[int, Field(ge=1, le=1200)]
"""At least one, at most a century: a typing error is refused, not computed with."""
