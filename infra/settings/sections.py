"""The sections of an environment's file: each a frozen model that says what its keys may hold."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from infra.settings.value_types import (
    Cidr,
    Cron,
    Email,
    EnvironmentName,
    GitBranch,
    GitRepository,
    ImageDigest,
    MachineType,
    Person,
    ProjectId,
    Region,
    TimeZone,
)


class EnvironmentSection(BaseModel):
    """A part of an environment: frozen, and nothing in it that is not asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Neighbour(EnvironmentSection):
    """What another environment is called on Google: enough to name its registry and its identities."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    name: EnvironmentName
    project_id: ProjectId
    project_number: int
    region: Region


class CiSystem(StrEnum):
    """What runs the build files: `ci/cloudbuild` or `.github/workflows`."""

    CLOUD_BUILD = "cloud_build"
    GITHUB_ACTIONS = "github_actions"
    NONE = "none"


TOKEN_ISSUER = "https://token.actions.githubusercontent.com"


class GitSettings(EnvironmentSection):
    """The repository that previews and applies."""

    repository: GitRepository = Field(description="owner/name on GitHub")
    branch: GitBranch = Field(default="main", description="the protected branch: only it may apply")
    repository_id: int | None = Field(
        default=None, ge=1, description="GitHub's number of it, which stays; its name can be given up and taken"
    )
    owner_id: int | None = Field(default=None, ge=1, description="GitHub's number of the owner")
    ci: CiSystem = Field(
        strict=False,
        description="which system previews, applies and checks: the other does not run; "
        "none: until a person has connected cloud_build or set the variables of github_actions",
    )
    app_installation_id: int = Field(default=0, ge=0, description="of the Cloud Build app on the repository")

    @property
    def connected(self) -> bool:
        """Whether Cloud Build is connected to the repository, and has triggers."""
        return self.ci is CiSystem.CLOUD_BUILD

    @property
    def federation_condition(self) -> str:
        """Whose tokens are taken. Source: GitHub, "OpenID Connect reference": the numbers are strings in its tokens."""
        claims = {
            "repository": self.repository,
            "repository_id": self.repository_id,
            "repository_owner_id": self.owner_id,
        }
        return " && ".join(f"assertion.{claim} == '{value}'" for claim, value in claims.items() if value is not None)


class NetworkSettings(EnvironmentSection):
    """Address ranges (IPv4, private, disjoint)."""

    nodes: Cidr
    pods: Cidr = Field(description="256 addresses a node")
    services: Cidr
    control_plane: Cidr = Field(description="a /28")


class SystemPoolSettings(EnvironmentSection):
    """Nodes for what must always run. Counts are totals over the zones."""

    machine_type: MachineType = "e2-standard-4"
    min_nodes: int = Field(default=1, ge=1, le=100)
    max_nodes: int = Field(default=3, ge=1, le=100)


class PipelinesPoolSettings(EnvironmentSection):
    """Spot nodes for pipeline tasks, from zero. Counts are totals over the zones."""

    machine_type: MachineType = "e2-standard-8"
    max_nodes: int = Field(default=4, ge=1, le=500)


class ClusterSettings(EnvironmentSection):
    """The GKE cluster."""

    release_channel: Literal["RAPID", "REGULAR", "STABLE"] = "REGULAR"
    maintenance_days: Annotated[tuple[Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"], ...], Field(strict=False)] = (
        "SA",
        "SU",
    )
    maintenance_hour: int = Field(default=2, ge=0, le=17, description="UTC; the window lasts six hours")
    system: SystemPoolSettings = SystemPoolSettings()
    pipelines: PipelinesPoolSettings = PipelinesPoolSettings()


class RetentionSettings(EnvironmentSection):
    """How long things are kept."""

    raw_days: int = Field(default=730, ge=1, le=3650)
    pipeline_root_days: int = Field(default=90, ge=1, le=3650, description="artefacts of runs; not the history")
    noncurrent_versions: int = Field(default=5, ge=1, le=100, description="of an overwritten object")
    predictions_days: int = Field(default=400, ge=1, le=3650)
    untagged_images_days: int = Field(default=30, ge=1, le=3650)
    soft_delete_days: int = Field(default=7, ge=7, le=90, description="none in an ephemeral environment")


class ScheduleSettings(EnvironmentSection):
    """When things start by themselves, in unix-cron."""

    time_zone: TimeZone = "Etc/UTC"
    monitoring: Cron = "0 5 * * *"
    training: Cron = "0 4 2 * *"
    infrastructure_drift: Cron = "0 3 * * *"


class ImageSettings(EnvironmentSection):
    """Container images, by digest: what was tested is what runs. Without one the schedules are paused."""

    registry: EnvironmentName | None = Field(
        default=None, description="the environment whose registry holds the images; without it, one of its own"
    )
    readers: Annotated[tuple[EnvironmentName, ...], Field(strict=False)] = Field(
        default=(), description="environments that pull from this one's registry; their identities must exist"
    )
    pipelines: ImageDigest | None = None
    serving: ImageDigest | None = None

    @property
    def complete(self) -> bool:
        """Whether there is something that a schedule could start."""
        return self.pipelines is not None and self.serving is not None


class KubeflowSettings(EnvironmentSection):
    """Kubeflow Pipelines on the cluster."""

    manifests: ImageDigest | None = Field(
        default=None, description="what Config Sync puts on the cluster: the artefact that `fonderie manifests` pushed"
    )


class ServingSettings(EnvironmentSection):
    """How the champion is served."""

    machine_type: MachineType = "n1-standard-2"
    min_replicas: int = Field(default=1, ge=1, le=100)
    max_replicas: int = Field(default=2, ge=1, le=100)


class AlertSettings(EnvironmentSection):
    """Who is told, and from when."""

    emails: Annotated[tuple[Email, ...], Field(strict=False)] = ()
    error_ratio: float = Field(default=0.01, gt=0, lt=1, description="of requests to an endpoint, over five minutes")
    latency_ms: int = Field(default=500, ge=1, le=60_000, description="95th percentile, over five minutes")


class PeopleSettings(EnvironmentSection):
    """Who works with the environment without owning the project. CI deploys without them."""

    engineers: Annotated[tuple[Person, ...], Field(strict=False)] = Field(
        default=(), description="read everything, run pipelines, preview; group:... or user:..."
    )
    oncall: Annotated[tuple[Person, ...], Field(strict=False)] = Field(
        default=(), description="promote and roll back models"
    )


class BudgetSettings(EnvironmentSection):
    """A monthly budget on the project."""

    billing_account: str = Field(pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$")
    monthly_usd: int = Field(ge=1)


class FeatureSwitches(EnvironmentSection):
    """What an environment can do without."""

    cluster: bool = True
    config_sync: bool = Field(default=True, description="Kubeflow Pipelines on the cluster; needs the cluster")
    tensorboard: bool = True
    continuous_training: bool = True
