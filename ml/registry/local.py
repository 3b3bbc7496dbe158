"""A registry in a folder: `<root>/<model>/v001/`, `aliases.json`, both moved into place in one step under a lock."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from fonderie.core.errors import BadDataError, BadInputError, ConflictError, StepFailedError
from fonderie.core.files import write_text
from ml.datasets.parquet import content_hash
from ml.records import parse_record
from ml.registry import moves
from ml.registry.interface import Alias, Aliases, Version
from ml.registry.record import RECORD_FILE, SEAL, Candidate, ModelRecord, check_seal, sealed

LOCK_TIMEOUT_S = 30
_DRAFT = ".draft-"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class LocalRegistry:
    """Versions of one model in a folder. Readers take no lock: what they can see is whole."""

    def __init__(self, root: Path, model: str) -> None:
        """`root` holds one folder a model; it is made on the first write."""
        if not _NAME.fullmatch(model):
            raise BadInputError(f"invalid model name {model!r}")
        self._model = model
        self._folder = root / model

    @property
    def model(self) -> str:
        """The name of the model that these are versions of, as in `ml/models`."""
        return self._model

    def register(self, candidate: Candidate, folder: Path, *, who: str, now: datetime) -> ModelRecord:
        """Copy the files, then move them into place in one step. Raises BadInputError, BadDataError."""
        if candidate.model != self._model:
            raise BadInputError(f"the candidate is of model {candidate.model!r}", where=f"registry of {self._model!r}")
        with self._writing():
            record = self._registered(candidate) or self._store(candidate, folder, now)
            if self.aliases().at(Alias.CHAMPION) != record.version:
                self._write(moves.challenged(self.aliases(), record.version, who=who, now=now))
        return record

    def get(self, reference: int | str) -> Version:
        """Read one version's record. Raises BadInputError (unknown version) and BadDataError (damaged record)."""
        number = moves.version_number(self._model, reference, self.aliases)
        folder = self._folder / f"v{number:03d}"
        if not folder.is_dir():
            raise moves.unknown_version(self._model, reference, (path.name for path in self._version_folders()))
        return Version(_read_record(folder), folder)

    def promote(
        self, version: int, expected_current: int | None, *, reason: str, who: str, now: datetime
    ) -> ModelRecord:
        """Move the champion alias under the folder's lock. Raises ConflictError and BadInputError."""
        with self._writing():
            record = self._whole(version)
            self._write(moves.promoted(self.aliases(), version, expected_current, reason=reason, who=who, now=now))
        return record

    def rollback(
        self, to: int | None = None, *, expected_current: int | None = None, reason: str, who: str, now: datetime
    ) -> ModelRecord:
        """Move the champion alias back under the folder's lock. Raises RefusedError, ConflictError, BadInputError."""
        with self._writing():
            after = moves.rolled_back(self.aliases(), to, expected_current, reason=reason, who=who, now=now)
            record = self._whole(after.current[Alias.CHAMPION])
            self._write(after)
        return record

    def list(self) -> tuple[ModelRecord, ...]:
        """Every record that can be read, by version; `damaged` says which cannot."""
        return tuple(record for record in self._records() if isinstance(record, ModelRecord))

    def damaged(self) -> tuple[BadDataError, ...]:
        """Why versions are missing in `list`."""
        return tuple(record for record in self._records() if isinstance(record, BadDataError))

    def _records(self) -> Iterator[ModelRecord | BadDataError]:
        for folder in self._version_folders():
            try:
                yield _read_record(folder)
            except BadDataError as error:
                yield error

    def _whole(self, version: int) -> ModelRecord:
        """The record of a version whose files are those it was registered with. Raises BadDataError."""
        found = self.get(version)
        for name, expected in found.record.files.items():
            if not (found.folder / name).is_file():
                raise BadDataError("a file of the version is missing", where=found.folder / name)
            if content_hash(found.folder / name) != expected:
                raise BadDataError("is not the registered file: its SHA-256 differs", where=found.folder / name)
        return found.record

    def aliases(self) -> Aliases:
        """Read `aliases.json`; empty before the first move. Raises BadDataError."""
        path = self._folder / "aliases.json"
        if not path.exists():
            return Aliases()
        what = "not the aliases of a registry"
        return parse_record(Aliases, path.read_bytes(), what=what, where=path, hint="restore the file")

    def _version_folders(self) -> Sequence[Path]:
        found = [path for path in self._folder.glob("v*") if re.fullmatch(r"v[0-9]{3,}", path.name)]
        return sorted(found, key=lambda path: int(path.name[1:]))

    def _registered(self, candidate: Candidate) -> ModelRecord | None:
        same = (candidate.run_id, candidate.model_hash)
        return next((record for record in self.list() if (record.run_id, record.model_hash) == same), None)

    def _store(self, candidate: Candidate, folder: Path, now: datetime) -> ModelRecord:
        """Copy into a draft folder, check what arrived, and move it into its place in one step."""
        number = max([int(folder.name[1:]) for folder in self._version_folders()] + [self.aliases().newest]) + 1
        record = ModelRecord(**dict(candidate), version=number, registered_at=now)
        draft = self._folder / f"{_DRAFT}{secrets.token_hex(4)}"
        draft.mkdir()
        try:
            for name, expected in candidate.files.items():
                _copy(folder / name, draft / name, expected)
            write_text(draft / RECORD_FILE, json.dumps(sealed(record.model_dump(mode="json")), indent=2) + "\n")
            draft.rename(self._folder / record.label)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        _sync(self._folder)
        return record

    def _write(self, aliases: Aliases) -> None:
        write_text(self._folder / "aliases.json", aliases.model_dump_json(indent=2) + "\n")
        _sync(self._folder)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Alone with the folder, cleared of what a killed process left; a full disk becomes its message."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / ".lock", timeout=LOCK_TIMEOUT_S):
                self._clear()
                yield
        except Timeout as error:
            raise ConflictError(
                "the registry is locked by another process", where=self._folder, hint="try again"
            ) from error
        except OSError as error:
            raise StepFailedError(
                f"could not write: {error.strerror or error}",
                where=error.filename or self._folder,
                hint="is the disk full?",
            ) from error

    def _clear(self) -> None:
        for path in self._folder.glob(".*"):
            if path.name.startswith(_DRAFT):
                shutil.rmtree(path)
            elif path.name.startswith(".aliases.json."):
                path.unlink()


def _copy(source: Path, target: Path, expected: str) -> None:
    """Copy, flushed to disk, and compare with the hash the candidate names."""
    if not source.is_file():
        raise BadDataError("a file of the candidate is missing", where=source)
    data = source.read_bytes()
    if hashlib.sha256(data).hexdigest() != expected:
        raise BadDataError("is not the file the candidate names: its SHA-256 differs", where=source)
    with target.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def _read_record(folder: Path) -> ModelRecord:
    path = folder / RECORD_FILE
    what, hint = "not the record of a version", "restore the folder"
    try:
        values = json.loads(path.read_bytes())
        text = json.dumps({name: value for name, value in values.items() if name != SEAL})
        record = parse_record(ModelRecord, text, what=what, where=path, hint=hint)
        check_seal(values, required=record.format_version > 1, where=path)
    except (OSError, ValueError, AttributeError) as error:
        raise BadDataError(what, where=path, hint=hint) from error
    if record.label != folder.name:
        raise BadDataError(f"is the record of {record.label}", where=path, hint=hint)
    return record


def _sync(folder: Path) -> None:
    """Flush a folder's entries: a rename survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
