"""What a location's scheme opens. `ml` itself knows folders; each entry point adds the schemes that it can open.

The command line, the pipelines' steps and the serving container call `fonderie.google.schemes.register`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from fonderie.core.errors import BadInputError

if TYPE_CHECKING:
    from ml.datasets.origins import Origin
    from ml.monitoring.history import RecordFolder
    from ml.registry.interface import Registry
    from ml.serving.server.prediction_log import Sink

T = TypeVar("T")


@dataclass
class Schemes(Generic[T]):
    """Openers of one kind of place. `kind` and `local` (what opens without a scheme) are for messages."""

    kind: str
    local: str
    openers: dict[str, Callable[..., T]] = field(default_factory=dict)
    forms: dict[str, str] = field(default_factory=dict)

    def add(self, form: str, opener: Callable[..., T]) -> None:
        """`form` shows a whole location, for example `gs://BUCKET/FOLDER`; `opener` gets the location first."""
        scheme = form.partition("://")[0]
        self.openers[scheme], self.forms[scheme] = opener, form

    def opener(self, location: str) -> Callable[..., T] | None:
        """What opens `location`; None for a local one. Raises BadInputError for a scheme that nothing opens."""
        scheme, separator, _ = location.partition("://")
        if not separator or scheme == "file":
            return None
        if scheme not in self.openers:
            forms = ", or ".join([self.local, *self.forms.values()])
            raise BadInputError(f"unknown {self.kind} {location!r}", hint=f"want {forms}")
        return self.openers[scheme]


REGISTRIES: Schemes[Registry] = Schemes("registry location", "a folder, nothing")
"""opener(location, model)"""
ORIGINS: Schemes[Origin] = Schemes("data location", "a folder, nothing")
"""opener(location)"""
SINKS: Schemes[Sink] = Schemes("prediction log", "a folder")
"""opener(location)"""
VERSIONS: Schemes[Path] = Schemes("version", "a folder")
"""opener(location, scratch): the folder, copied into `scratch`"""
RECORDS: Schemes[RecordFolder] = Schemes("history", "a folder")
"""opener(location)"""
