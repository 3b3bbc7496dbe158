"""One environment, frozen: everything in which two environments differ."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from infra.settings.sections import (
    Alerts,
    Budget,
    Cluster,
    Features,
    Git,
    Images,
    Network,
    Retention,
    Schedules,
    Serving,
    Settings,
)
from infra.settings.value_types import EnvironmentName, LabelKey, LabelValue, ProjectId, Region


class Backend(StrEnum):
    """Where Terraform keeps its state."""

    LOCAL = "local"
    GCS = "gcs"


class Environment(Settings):
    """One environment. `name` is the stem of its file."""

    name: EnvironmentName = Field(description="the file's name")
    project_id: ProjectId
    project_number: int = Field(ge=100_000, lt=10**15)
    region: Region
    owner: LabelValue = Field(min_length=1, description="the team that answers for it")
    labels: dict[LabelKey, LabelValue] = Field(default={}, max_length=32)
    backend: Backend = Field(default=Backend.GCS, strict=False, description="where Terraform's state is kept")
    ephemeral: bool = Field(default=False, description="may be destroyed with all it holds")
    protected: bool = Field(default=True, description="stateful resources refuse to be destroyed")
    customer_keys: bool = Field(default=False, description="encrypt with the environment's own keys (CMEK)")
    approval: bool = Field(default=False, description="a person approves each apply")
    git: Git
    network: Network
    cluster: Cluster = Cluster()
    retention: Retention = Retention()
    schedules: Schedules = Schedules()
    images: Images
    serving: Serving = Serving()
    alerts: Alerts = Alerts()
    budget: Budget | None = None
    features: Features = Features()

    @property
    def all_labels(self) -> dict[str, str]:
        """What every resource carries."""
        return {**self.labels, "environment": self.name, "owner": self.owner, "managed_by": "fonderie"}

    @property
    def production(self) -> bool:
        """Whether the rules of production hold."""
        return self.name.startswith("prod")
