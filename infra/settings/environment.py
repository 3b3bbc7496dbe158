"""One environment, frozen: everything in which two environments differ, and how it is read from its file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field, PrivateAttr

from fonderie.core.errors import BadInputError
from fonderie.core.toml import checked, parse_toml, refusal
from infra.settings.rules import problems_of
from infra.settings.sections import (
    AlertSettings,
    BudgetSettings,
    ClusterSettings,
    EnvironmentSection,
    FeatureSwitches,
    GitSettings,
    ImageSettings,
    KubeflowSettings,
    Neighbour,
    NetworkSettings,
    PeopleSettings,
    RetentionSettings,
    ScheduleSettings,
    ServingSettings,
)
from infra.settings.value_types import EnvironmentName, LabelKey, LabelValue, ProjectId, QuotaLimit, QuotaName, Region


class Backend(StrEnum):
    """Where Terraform keeps its state."""

    LOCAL = "local"
    GCS = "gcs"


class Environment(EnvironmentSection):
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
    git: GitSettings
    network: NetworkSettings
    cluster: ClusterSettings = ClusterSettings()
    retention: RetentionSettings = RetentionSettings()
    schedules: ScheduleSettings = ScheduleSettings()
    images: ImageSettings = ImageSettings()
    kubeflow: KubeflowSettings = KubeflowSettings()
    serving: ServingSettings = ServingSettings()
    alerts: AlertSettings = AlertSettings()
    budget: BudgetSettings | None = None
    quota: dict[QuotaName, QuotaLimit] = Field(default={}, description="limits that Google granted in the region")
    people: PeopleSettings = PeopleSettings()
    features: FeatureSwitches = FeatureSwitches()
    _neighbours: dict[str, Neighbour] = PrivateAttr(default_factory=dict)

    @property
    def unknown_neighbours(self) -> tuple[str, ...]:
        """Environments that `images` names, without a file of their own."""
        named = (*filter(None, (self.images.registry,)), *self.images.readers)
        return tuple(name for name in named if name not in self._neighbours)

    @property
    def registry_owner(self) -> Environment | Neighbour:
        """The environment whose registry holds the images: one for all, so that what was tested is what runs."""
        return self._neighbours[self.images.registry] if self.images.registry else self

    @property
    def image_readers(self) -> tuple[Neighbour, ...]:
        """The environments that pull from this one's registry."""
        return tuple(self._neighbours[name] for name in self.images.readers)

    @property
    def artefacts(self) -> dict[str, str]:
        """What the settings name by digest: key -> reference."""
        named = {
            "images.pipelines": self.images.pipelines,
            "images.serving": self.images.serving,
            "kubeflow.manifests": self.kubeflow.manifests,
        }
        return {key: reference for key, reference in named.items() if reference is not None}

    @property
    def all_labels(self) -> dict[str, str]:
        """What every resource carries."""
        return {**self.labels, "environment": self.name, "owner": self.owner, "managed_by": "fonderie"}

    @property
    def production(self) -> bool:
        """Whether the rules of production hold."""
        return self.name.startswith("prod")


ENVIRONMENTS = Path(__file__).parent.parent / "environments"
_HINT = "infra/environments/schema.json says what each key may hold"


def environment_names(folder: Path = ENVIRONMENTS) -> list[str]:
    """Every environment there is a file for: the nearest to the developer first, production last."""
    order = ["local", "dev", "staging"]
    names = sorted(path.stem for path in folder.glob("*.toml"))
    return sorted(names, key=lambda name: (name.startswith("prod"), order.index(name) if name in order else 9))


def load_environment(name: str, folder: Path = ENVIRONMENTS) -> Environment:
    """Read and check `folder/name.toml`; `BadInputError` names file, line, key, value and reason of each mistake."""
    path = folder / f"{name}.toml"
    if name not in (known := environment_names(folder)):
        raise BadInputError(f"unknown environment {name!r}", where=folder, hint=f"there are: {', '.join(known)}")
    written = parse_toml(path)
    if "name" in written:
        raise BadInputError("an environment is named by its file", where=f"{path}: name", hint="remove the key")
    environment = checked({"name": name, **written}, Environment, where=path, hint=_HINT)
    named = {*filter(None, (environment.images.registry, *environment.images.readers))}
    for other in named.intersection(known):
        environment._neighbours[other] = _neighbour(other, folder)
    if problems := problems_of(environment):
        raise refusal(problems, where=path, hint=_HINT)
    return environment


def notes(env: Environment) -> tuple[str, ...]:
    """What an environment goes without until a person has set it: no mistake, and worth saying."""
    unset = {
        "schedules are paused until [images] names pipelines and serving": not env.images.complete,
        "the cluster stays empty until [kubeflow] names its manifests": env.features.config_sync
        and env.kubeflow.manifests is None,
    }
    return tuple(note for note, holds in unset.items() if holds)


def _neighbour(name: str, folder: Path) -> Neighbour:
    path = folder / f"{name}.toml"
    return checked({"name": name, **parse_toml(path)}, Neighbour, where=path, hint=_HINT)
