"""Where the versions of a serving process come from, and how another champion takes over.

It is loaded and checked beside the old one, then swapped in one step.
"""

from __future__ import annotations

import asyncio
import tempfile
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from fonderie.core.errors import BadInputError, FonderieError
from ml.locations import VERSIONS
from ml.serving.canary.canary import Canary
from ml.serving.scoring.compiled_version import Served, load_version
from ml.serving.server.predict import AppState


class VersionSource(Protocol):
    """Where the server reads the versions of one model from."""

    def champion(self) -> str:
        """The champion's version, cheaply. Raises FonderieError."""

    def load(self, version: str, /) -> Served:
        """That version, checked. Raises FonderieError."""


@dataclass(frozen=True)
class RegistrySource:
    """Versions in a registry; `champion` is read from its alias."""

    model: str
    location: str = ""
    max_instances: int = 1000

    def champion(self) -> str:
        """The number the champion alias points to. Raises BadInputError without a champion."""
        from ml.registry import open_registry

        number = open_registry(self.model, self.location).aliases().champion
        if number is None:
            raise BadInputError(
                f"{self.model} has no champion", hint=f"fonderie run training {self.model} --month YYYY-MM"
            )
        return str(number)

    def load(self, version: str) -> Served:
        """Fetch the version's files and check them. Raises BadInputError, BadDataError, RefusedError."""
        from ml.registry import open_registry

        registered = open_registry(self.model, self.location).get(int(version))
        return load_version(registered.folder, version=version, model=self.model, max_instances=self.max_instances)

    def promote(self, canary: Canary) -> None:
        """Make the challenger of a canary champion, if the champion is still the one it was compared with.

        Raises ConflictError when it is not.
        """
        from ml.registry import open_registry

        registry = open_registry(self.model, self.location)
        number = int(canary.challenger)
        if registry.aliases().champion != number:
            now = datetime.now(UTC)
            registry.promote(number, int(canary.champion), reason=f"canary: {canary.reason}", who="canary", now=now)


@dataclass(frozen=True)
class UriSource:
    """One version in a folder or under gs://, as Vertex AI gives it; it never changes."""

    uri: str
    model: str = ""
    max_instances: int = 1000

    def champion(self) -> str:
        """Always the empty string: there is one version and it never changes."""
        return ""

    def load(self, _: str) -> Served:
        """Fetch and check the folder; its record has the version's number. Raises BadDataError, RefusedError."""
        with tempfile.TemporaryDirectory(prefix="version-") as scratch:
            folder = self._folder(Path(scratch))
            return load_version(
                folder, version=recorded_version(folder), model=self.model or None, max_instances=self.max_instances
            )

    def _folder(self, scratch: Path) -> Path:
        """A local folder as it is, what `VERSIONS` opens copied into `scratch`."""
        if opener := VERSIONS.opener(self.uri):
            return opener(self.uri, scratch)
        folder = Path(urllib.parse.urlparse(self.uri).path if self.uri.startswith("file://") else self.uri)
        if not self.uri or not folder.is_dir():
            form = "gs://bucket/folder or a path"
            raise BadInputError(f"{self.uri!r} is not a folder", where="AIP_STORAGE_URI", hint=form)
        return folder


class _Record(msgspec.Struct):
    version: int


def recorded_version(folder: Path) -> str:
    """The number in the version's record; "0" for a folder without one."""
    path = folder / "model_record.json"
    try:
        return str(msgspec.json.decode(path.read_bytes(), type=_Record).version)
    except (OSError, msgspec.MsgspecError):
        return "0"


def load_all(state: AppState, sources: Mapping[str, VersionSource]) -> None:
    """Load every model's champion. Raises FonderieError: then the server must not start."""
    for model, source in sources.items():
        state.put_champion(source.load(source.champion()), as_model=model)


async def watch(state: AppState, sources: Mapping[str, VersionSource], *, every_s: float) -> None:
    """Look for other champions until cancelled. One that cannot be loaded changes nothing but the log."""
    failed: dict[str, str] = {}
    while True:
        await asyncio.sleep(every_s)
        for model, source in sources.items():
            await _look(state, model, source, failed)


async def _look(state: AppState, model: str, source: VersionSource, failed: dict[str, str]) -> None:
    split = state.hosting.split(model)
    try:
        wanted = await asyncio.to_thread(source.champion)
        if not wanted or split is None or wanted in (split.champion.version, failed.get(model)):
            return
        served = await asyncio.to_thread(source.load, wanted)
    except FonderieError as error:
        state.metrics.reloads.labels(model, "failed").inc()
        state.log.write("ERROR", f"the champion stays: {error}", model=model)
        failed[model] = wanted
        return
    state.put_champion(served)
    state.metrics.reloads.labels(model, "ok").inc()
    state.log.write("NOTICE", "another champion answers", model=model, version=served.version)
