"""`infra/environments/*.toml` as one frozen `Environment`: everything in which two environments differ."""

from __future__ import annotations

import difflib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

from fonderie.errors import BadInputError
from fonderie.toml import parse_toml
from infra.settings_rules import Problem, problems_of
from infra.settings_types import (
    Cidr,
    Cron,
    Email,
    EnvironmentName,
    GitBranch,
    GitRepository,
    ImageDigest,
    LabelKey,
    LabelValue,
    MachineType,
    ProjectId,
    Region,
    TimeZone,
)

ENVIRONMENTS = Path(__file__).parent / "environments"


class Settings(BaseModel):
    """A part of an environment: frozen, and nothing in it that is not asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Backend(StrEnum):
    """Where Terraform keeps its state."""

    LOCAL = "local"
    GCS = "gcs"


class Git(Settings):
    """The repository that previews, applies and is synchronised onto the cluster."""

    repository: GitRepository = Field(description="owner/name on GitHub")
    branch: GitBranch = Field(default="main", description="the protected branch: only it may apply")
    connected: bool = Field(
        default=True, description="false until a person has installed the Cloud Build app and stored its token"
    )
    app_installation_id: int = Field(default=0, ge=0, description="of the Cloud Build app on the repository")
    sync_auth: Literal["none", "token", "ssh", "cookiefile"] = Field(
        default="none", description="how Config Sync reads the repository; none: it is public"
    )


class Network(Settings):
    """Address ranges (IPv4, private, disjoint)."""

    nodes: Cidr
    pods: Cidr = Field(description="256 addresses a node")
    services: Cidr
    control_plane: Cidr = Field(description="a /28")


class SystemPool(Settings):
    """Nodes for what must always run. Counts are totals over the zones."""

    machine_type: MachineType = "e2-standard-4"
    min_nodes: int = Field(default=1, ge=1, le=100)
    max_nodes: int = Field(default=3, ge=1, le=100)


class PipelinesPool(Settings):
    """Spot nodes for pipeline tasks, from zero. Counts are totals over the zones."""

    machine_type: MachineType = "e2-standard-8"
    max_nodes: int = Field(default=4, ge=1, le=500)


class Cluster(Settings):
    """The GKE cluster."""

    release_channel: Literal["RAPID", "REGULAR", "STABLE"] = "REGULAR"
    maintenance_days: Annotated[tuple[Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"], ...], Field(strict=False)] = (
        "SA",
        "SU",
    )
    maintenance_hour: int = Field(default=2, ge=0, le=17, description="UTC; the window lasts six hours")
    system: SystemPool = SystemPool()
    pipelines: PipelinesPool = PipelinesPool()


class Retention(Settings):
    """How long things are kept."""

    raw_days: int = Field(default=730, ge=1, le=3650)
    pipeline_root_days: int = Field(default=90, ge=1, le=3650)
    noncurrent_versions: int = Field(default=5, ge=1, le=100, description="of an overwritten object")
    predictions_days: int = Field(default=400, ge=1, le=3650)
    untagged_images_days: int = Field(default=30, ge=1, le=3650)
    soft_delete_days: int = Field(default=7, ge=7, le=90, description="none in an ephemeral environment")


class Schedules(Settings):
    """When things start by themselves, in unix-cron."""

    time_zone: TimeZone = "Etc/UTC"
    monitoring: Cron = "0 5 * * *"
    training: Cron = "0 4 2 * *"
    infrastructure_drift: Cron = "0 3 * * *"


class Images(Settings):
    """Container images, by digest: what was tested is what runs."""

    pipelines: ImageDigest
    serving: ImageDigest


class Serving(Settings):
    """How the champion is served."""

    machine_type: MachineType = "n1-standard-2"
    min_replicas: int = Field(default=1, ge=1, le=100)
    max_replicas: int = Field(default=2, ge=1, le=100)


class Alerts(Settings):
    """Who is told, and from when."""

    emails: Annotated[tuple[Email, ...], Field(strict=False)] = ()
    error_ratio: float = Field(default=0.01, gt=0, lt=1, description="of requests to an endpoint, over five minutes")
    latency_ms: int = Field(default=500, ge=1, le=60_000, description="95th percentile, over five minutes")


class Budget(Settings):
    """A monthly budget on the project."""

    billing_account: str = Field(pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$")
    monthly_usd: int = Field(ge=1)


class Features(Settings):
    """What an environment can do without."""

    cluster: bool = True
    config_sync: bool = Field(default=True, description="Kubeflow Pipelines on the cluster; needs the cluster")
    tensorboard: bool = True
    continuous_training: bool = True


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


def environment_names(folder: Path = ENVIRONMENTS) -> list[str]:
    """Every environment there is a file for: the nearest to the developer first, production last."""
    order = ["local", "dev", "staging"]
    names = sorted(path.stem for path in folder.glob("*.toml"))
    return sorted(names, key=lambda name: (name.startswith("prod"), order.index(name) if name in order else 9))


def load_environment(name: str, folder: Path = ENVIRONMENTS) -> Environment:
    """Read and check `folder/name.toml`; `BadInputError` names file, key, value and reason of each mistake."""
    path = folder / f"{name}.toml"
    if name not in (known := environment_names(folder)):
        raise BadInputError(f"there is no environment {name!r}", where=folder, hint=f"there are: {', '.join(known)}")
    written = parse_toml(path)
    if "name" in written:
        raise BadInputError("an environment is named by its file", where=f"{path}: name", hint="remove the key")
    try:
        environment = Environment.model_validate({"name": name, **written})
    except ValidationError as error:
        raise _refusal(path, [_problem(entry) for entry in error.errors()]) from error
    if problems := problems_of(environment):
        raise _refusal(path, problems)
    return environment


def _refusal(path: Path, problems: list[Problem]) -> BadInputError:
    hint = "infra/environments/schema.json says what each key may hold"
    if len(problems) == 1:
        return BadInputError(problems[0].line, where=f"{path}: {problems[0].key}", hint=hint)
    lines = "".join(f"\n  {problem.key}: {problem.line}" for problem in problems)
    return BadInputError(f"{len(problems)} settings are wrong:{lines}", where=path, hint=hint)


def _problem(error: Any) -> Problem:
    """What pydantic found, in the words of the file."""
    path = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(path)
    match error["type"]:
        case "missing":
            return Problem(key, None, "is missing")
        case "extra_forbidden":
            near = difflib.get_close_matches(path[-1], _keys_beside(path), n=1)
            return Problem(key, error["input"], "unknown key" + (f"; did you mean {near[0]}?" if near else ""))
        case "value_error":
            return Problem(key, error["input"], str(error["ctx"]["error"]))
        case _:
            return Problem(key, error["input"], error["msg"][0].lower() + error["msg"][1:])


def _keys_beside(path: list[str]) -> list[str]:
    """The keys that exist where the last of `path` was written."""
    fields: dict[str, FieldInfo] = Environment.model_fields
    for part in path[:-1]:
        kind = fields[part].annotation if part in fields else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return list(Budget.model_fields) if part == "budget" else []
        fields = kind.model_fields
    return list(fields)
