"""[compute.<task>]: what a pipeline task runs on when it does not run on a laptop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from ml.models.config.section import Section

# Of every pipeline; a test holds them equal to what is compiled.
TASKS = (
    "conclude", "evaluate", "extract", "features", "gate", "judge", "keep", "monitor", "predict", "promote", "report",
    "request", "rest", "train", "validate",
)  # fmt: skip


class Task(Section):
    """Machine and patience of one task; `[compute.default]` holds for the tasks without a section."""

    cpu: Annotated[str, Field(pattern=r"^[1-9][0-9]*m?$")] = Field(
        default="2", description="cores, as Kubernetes says it"
    )
    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]*(M|G|Mi|Gi)$")] = Field(default="8Gi")
    spot: bool = Field(default=False, description="may be taken away: cheap, retried")
    retries: Annotated[int, Field(ge=0, le=10)] = Field(default=1)
    timeout_s: Annotated[int, Field(ge=1, le=7 * 24 * 3600)] = Field(default=3600)


TRAIN: dict[str, object] = {"cpu": "4", "memory": "16Gi", "spot": True, "retries": 2, "timeout_s": 7200}


def with_defaults(stated: object) -> object:
    """The sections of a file over those that every model has; a section states only what differs."""
    if not isinstance(stated, Mapping):
        return stated
    usual: dict[str, dict[str, object]] = {"default": {}, "train": TRAIN}
    return {
        name: {**usual.get(name, {}), **section} if isinstance(section, Mapping) else section
        for name, section in ({**usual, **stated}).items()
    }
