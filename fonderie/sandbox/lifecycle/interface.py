"""The seam of the sandbox: the plugin server plans; a `Lifecycle` creates, reads, updates and deletes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from fonderie.core.errors import RefusedError
from fonderie.sandbox.iam.caller import ANYONE, Caller

State = dict[str, Any]
"""A resource as plain values, one key for every attribute and block of its schema: blocks and lists and sets are lists
(of dicts), maps and objects dicts, numbers int or float, null None, not yet known `UNKNOWN`."""

Path = tuple[str | int, ...]
"""Where in a state: attribute names, indexes of lists, keys of maps (as `Key`). Never inside a set."""


class Key(str):
    """A key of a map, in a `Path`; a plain string there names an attribute."""

    __slots__ = ()


class Unknown:
    """A value that only the apply will tell. There is one: `UNKNOWN`; copies are itself."""

    _one: Unknown | None = None

    def __new__(cls) -> Unknown:
        """Return the one."""
        cls._one = cls._one or super().__new__(cls)
        return cls._one

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __deepcopy__(self, memo: dict[int, Any]) -> Unknown:
        return self

    def __reduce__(self) -> tuple[type[Unknown], tuple[()]]:
        return (Unknown, ())


UNKNOWN: Final = Unknown()


class DiagnosticSeverity(StrEnum):
    """How bad a diagnostic is: an error stops Terraform, a warning is printed."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Diagnostic:
    """What Terraform prints: a summary, more words, and the attribute it is about."""

    severity: DiagnosticSeverity
    summary: str
    detail: str = ""
    path: Path = ()


class ApiError(RefusedError):
    """The cloud said no: any method of a `Lifecycle` may raise it, and Terraform prints its diagnostics."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(diagnostic.summary for diagnostic in diagnostics))
        self.diagnostics = diagnostics

    @classmethod
    def because(cls, summary: str, detail: str = "", path: Path = ()) -> ApiError:
        """Of one diagnostic."""
        return cls(Diagnostic(DiagnosticSeverity.ERROR, summary, detail, path))


@dataclass(frozen=True)
class ProviderConfig:
    """The provider block, with what every resource inherits from it."""

    project: str | None = None
    region: str | None = None
    zone: str | None = None
    default_labels: Mapping[str, str] = field(default_factory=dict)
    add_terraform_attribution_label: bool = True
    terraform_attribution_label_addition_strategy: str = "CREATION_ONLY"
    deletion_policy: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)  # the whole block, as configured
    caller: Caller = ANYONE  # whose credentials it has


@dataclass(frozen=True)
class ApplyResult:
    """What an apply leaves: the state to keep (None: no such resource) and what to print. A state together with an
    error is kept by Terraform: tainted after a create, as it is after an update."""

    state: State | None
    diagnostics: Sequence[Diagnostic] = ()


class Lifecycle(Protocol):
    """The apply side. Methods are called from several threads at once; each may raise `ApiError`."""

    def create(self, type: str, planned: State, provider: ProviderConfig) -> ApplyResult:
        """Make what was planned. The state that returns has no UNKNOWN and equals the plan wherever that was known."""

    def read(self, type: str, state: State, provider: ProviderConfig) -> State | None:
        """Refresh: what is there now; None when it is gone. After an import `state` may hold little more than `id`."""

    def update(self, type: str, prior: State, planned: State, provider: ProviderConfig) -> ApplyResult:
        """Change `prior` into `planned` in place."""

    def delete(self, type: str, prior: State, provider: ProviderConfig) -> list[Diagnostic]:
        """Destroy; no error among the diagnostics means that Terraform forgets the resource."""

    def import_(self, type: str, id: str, provider: ProviderConfig) -> list[State]:
        """The resources an import id names (one, as a rule); Terraform reads each of them afterwards."""

    def read_data(self, type: str, config: State, provider: ProviderConfig) -> State:
        """A data source: `config` with its computed attributes filled."""
