"""Terraform's plan JSON as it is written: format 1.x, as far as we read it.

Source: "JSON Output Format" of Terraform's documentation.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, field_validator
from pydantic_core import PydanticUseDefault


class PlanPart(BaseModel):
    """A part of a plan. Null is taken for the default, and fields that are not known are passed over."""

    @field_validator("*", mode="before")
    @classmethod
    def _null_is_the_default(cls, value: Any) -> Any:
        if value is None:
            raise PydanticUseDefault
        return value


class RawChange(PlanPart):
    """What happens to one value: before and after in full, unmasked."""

    actions: list[str]
    before: Any = None
    after: Any = None
    after_unknown: Any = None
    before_sensitive: Any = None
    after_sensitive: Any = None
    replace_paths: list[list[Any]] = []
    importing: dict[str, Any] | None = None


class RawResourceChange(PlanPart):
    """An entry of `resource_changes` or `resource_drift`."""

    address: str
    type: str = ""
    mode: str = "managed"
    change: RawChange
    action_reason: str = ""
    previous_address: str = ""
    deposed: str = ""
    provider_name: str = ""


class DeferredChange(PlanPart):
    """An entry of `deferred_changes`."""

    reason: str = ""
    resource_change: RawResourceChange


class PlanFile(PlanPart):
    """The whole file."""

    format_version: str
    terraform_version: str = ""
    resource_changes: list[RawResourceChange] = []
    resource_drift: list[RawResourceChange] = []
    deferred_changes: list[DeferredChange] = []
    output_changes: dict[str, RawChange] = {}
    configuration: dict[str, Any] = {}
    prior_state: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    errored: bool = False
