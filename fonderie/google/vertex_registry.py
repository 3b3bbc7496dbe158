"""A registry in Vertex AI: versions are Vertex AI's, files and records lie in the models bucket.

What is atomic, and what is not:

- Where the aliases point is one object, `<model>/aliases.json`, replaced only if its generation is the one that was
  read (Cloud Storage's `ifGenerationMatch`): promotion is a true compare-and-swap. Vertex AI's own aliases follow it; a
  process that dies between the two leaves them behind, and the next move brings them up to date.
- A version's files and candidate are in the bucket before Vertex AI is told, so a version is whole or absent. Two
  processes that register the same candidate in the same second can make two versions. Runs do not: a run's job id is
  made of what it is of, by a person's command, a request and a schedule alike (`infra/workflows/retrain.yaml`), and
  Vertex AI gives an id once.

Source: Cloud Storage "request preconditions"; Vertex AI "model versioning" and "model aliases" documentation.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fonderie.core.errors import BadDataError, BadInputError, ConflictError
from fonderie.core.home import home
from fonderie.google import Access, NotFoundError, google_errors
from fonderie.google.schemes import VERTEX_FORM
from ml.records import parse_record
from ml.registry import moves
from ml.registry.interface import Alias, Aliases, Version
from ml.registry.record import RECORD_FILE, Candidate, ModelRecord, check_seal, sealed

CANDIDATE_FILE = "candidate.json"
ALIAS_TRIES = 5


class VertexRegistry:
    """Versions of one model in Vertex AI, their files in `bucket`."""

    def __init__(
        self, access: Access, bucket: str, model: str, *, image: str, key: str = "", cache: Path | None = None
    ) -> None:
        """`image` is the serving container, by digest: Vertex AI wants one with every version.

        `key`, by its resource path, encrypts Vertex AI's copy of a version.
        """
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", model):
            raise BadInputError(f"invalid model name {model!r}")
        self._access, self._bucket_name, self._model, self._image, self._key = access, bucket, model, image, key
        self._cache = cache or home() / "cache" / "registry"
        self._models = access.vertex("ModelServiceClient")
        self._bucket = access.storage().bucket(bucket)

    @classmethod
    def parse(cls, location: str, model: str) -> VertexRegistry:
        """From `vertex://PROJECT/REGION/BUCKET?image=...&key=...`. Raises BadInputError."""
        parts = urlsplit(location)
        places = [part for part in parts.path.split("/") if part]
        image, key = (parse_qs(parts.query).get(name, [""])[0] for name in ("image", "key"))
        if not parts.netloc or len(places) != 2:
            raise BadInputError(f"invalid registry {location!r}", hint=VERTEX_FORM)
        if "@sha256:" not in image:
            raise BadInputError(f"{location!r} has no serving image pinned by digest", hint=VERTEX_FORM)
        region, bucket = places
        return cls(Access.from_environment(parts.netloc, region), bucket, model, image=image, key=key)

    @property
    def model(self) -> str:
        """The name of the model that these are versions of, as in `ml/models`."""
        return self._model

    @property
    def resource(self) -> str:
        """The model's name in Vertex AI; ids there have no underscores."""
        return f"{self._access.parent}/models/{self._model.replace('_', '-')}"

    def register(self, candidate: Candidate, folder: Path, *, who: str, now: datetime) -> ModelRecord:
        """Upload the files, then create the version in Vertex AI. Raises BadInputError, BadDataError, ConflictError."""
        if candidate.model != self._model:
            raise BadInputError(f"the candidate is of model {candidate.model!r}", where=f"registry of {self._model!r}")
        same = (candidate.run_id, candidate.model_hash)
        with google_errors(self.resource):
            there = self.list()
            record = next((one for one in there if (one.run_id, one.model_hash) == same), None)
            record = record or self._store(candidate, folder, first=not there, now=now)
            self._move(
                lambda aliases: (
                    aliases
                    if aliases.at(Alias.CHAMPION) == record.version
                    else moves.challenged(aliases, record.version, who=who, now=now)
                )
            )
        return record

    def get(self, reference: int | str) -> Version:
        """Fetch a version's files once into the cache and compare their SHA-256. Raises BadInputError, BadDataError."""
        number = moves.version_number(self._model, reference, self.aliases)
        with google_errors(self.resource):
            records = self.list()
            record = next((one for one in records if one.version == number), None)
            if record is None:
                raise moves.unknown_version(self._model, reference, (record.label for record in records))
            return Version(record, self._fetched(record))

    def promote(
        self, version: int, expected_current: int | None, *, reason: str, who: str, now: datetime
    ) -> ModelRecord:
        """Move the champion alias unless its file changed meanwhile. Raises ConflictError, BadInputError."""
        record = self.get(version).record
        with google_errors(self.resource):
            self._move(
                lambda aliases: moves.promoted(aliases, version, expected_current, reason=reason, who=who, now=now)
            )
        return record

    def rollback(
        self, to: int | None = None, *, expected_current: int | None = None, reason: str, who: str, now: datetime
    ) -> ModelRecord:
        """Move the champion alias back, likewise. Raises RefusedError, ConflictError and BadInputError."""
        if to is not None:
            self.get(to)
        with google_errors(self.resource):
            after = self._move(
                lambda aliases: moves.rolled_back(aliases, to, expected_current, reason=reason, who=who, now=now)
            )
        return self.get(after.current[Alias.CHAMPION]).record

    def list(self) -> tuple[ModelRecord, ...]:
        """The record of every version that can be read, by version; empty when Vertex AI has no such model."""
        records = (record for record in self._records() if isinstance(record, ModelRecord))
        return tuple(sorted(records, key=lambda record: record.version))

    def damaged(self) -> tuple[BadDataError, ...]:
        """Why versions are missing in `list`."""
        return tuple(record for record in self._records() if isinstance(record, BadDataError))

    def _records(self) -> Iterator[ModelRecord | BadDataError]:
        try:
            with google_errors(self.resource):
                versions = list(self._models.list_model_versions(name=self.resource))
        except NotFoundError:
            return
        for version in versions:
            try:
                with google_errors(self.resource):
                    yield self._record(version)
            except BadDataError as error:
                yield error

    def aliases(self) -> Aliases:
        """Read the aliases from the bucket; empty before the first move. Raises BadDataError."""
        with google_errors(f"gs://{self._bucket_name}"):
            return self._aliases()[0]

    def _prefix(self, candidate: Candidate) -> str:
        return f"{self._model}/{candidate.run_id}-{candidate.model_hash[:12]}"

    def _store(self, candidate: Candidate, folder: Path, *, first: bool, now: datetime) -> ModelRecord:
        """Files, then the candidate, then the version: what Vertex AI lists is whole."""
        prefix = self._prefix(candidate)
        for name, expected in candidate.files.items():
            self._bucket.blob(f"{prefix}/{name}").upload_from_string(_checked(folder / name, expected))
        document = sealed({"candidate": candidate.model_dump(mode="json"), "registered_at": now.isoformat()})
        self._bucket.blob(f"{prefix}/{CANDIDATE_FILE}").upload_from_string(json.dumps(document, indent=2))
        created = self._models.upload_model(request=self._upload_request(candidate, prefix, first=first)).result()
        return ModelRecord(**dict(candidate), version=int(created.model_version_id), registered_at=now)

    def _upload_request(self, candidate: Candidate, prefix: str, *, first: bool) -> dict[str, Any]:
        model: dict[str, Any] = {
            "display_name": self._model,
            "version_description": f"{candidate.month}, run {candidate.run_id}, commit {candidate.commit[:12]}",
            "artifact_uri": f"gs://{self._bucket_name}/{prefix}",
            "container_spec": {
                "image_uri": self._image,
                "predict_route": "/predict",
                "health_route": "/health",
                "ports": [{"container_port": 8080}],
            },
            "labels": {
                "model": self._model,
                "month": candidate.month,
                "commit": candidate.commit[:12],
                "model_hash": candidate.model_hash[:32],
            },
        }
        if self._key:
            model["encryption_spec"] = {"kms_key_name": self._key}
        placed = {"model_id": self.resource.rpartition("/")[2]} if first else {"parent_model": self.resource}
        return {"parent": self._access.parent, "model": model, **placed}

    def _record(self, version: Any) -> ModelRecord:
        prefix = version.artifact_uri.removeprefix(f"gs://{self._bucket_name}/")
        place = f"{version.artifact_uri}/{CANDIDATE_FILE}"
        what, hint = "not the candidate of a version", "restore the object"
        try:
            document = json.loads(self._bucket.blob(f"{prefix}/{CANDIDATE_FILE}").download_as_bytes())
            candidate = document["candidate"]
            values = {**candidate, "registered_at": document["registered_at"]}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadDataError(what, where=place, hint=hint) from error
        text = json.dumps({**values, "version": int(version.version_id)})
        record = parse_record(ModelRecord, text, what=what, where=place, hint=hint)
        check_seal(document, required=record.format_version > 1, where=place)
        return record

    def _fetched(self, record: ModelRecord) -> Path:
        """The version's files on this machine: fetched into a draft folder, checked, moved into place."""
        place = self._cache / self._access.project / self._model / f"{record.label}-{record.model_hash[:12]}"
        if place.is_dir():
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=place.parent, prefix=".draft-"))
        try:
            for name, expected in record.files.items():
                data = self._bucket.blob(f"{self._prefix(record)}/{name}").download_as_bytes()
                (draft / name).write_bytes(data)
                _checked(draft / name, expected)
            (draft / RECORD_FILE).write_text(record.model_dump_json(indent=2), encoding="utf-8")
            if not place.is_dir():
                draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return place

    def _aliases(self) -> tuple[Aliases, int]:
        """(where they point, the generation of the object that says so; 0 where there is none)."""
        blob = self._bucket.get_blob(f"{self._model}/aliases.json")
        if blob is None:
            return Aliases(), 0
        generation = int(blob.generation)
        data = blob.download_as_bytes()  # of that generation: the bucket keeps versions
        what, where = "not the aliases of a registry", f"gs://{self._bucket_name}/{blob.name}"
        return parse_record(Aliases, data, what=what, where=where, hint="restore the object"), generation

    def _move(self, change: Callable[[Aliases], Aliases]) -> Aliases:
        """Compare and swap: `change` is asked again whenever another process was first, and may then refuse."""
        for _ in range(ALIAS_TRIES):
            before, generation = self._aliases()
            after = change(before)
            if after == before:
                return after
            blob = self._bucket.blob(f"{self._model}/aliases.json")
            try:
                with google_errors(f"gs://{self._bucket_name}/{blob.name}"):
                    blob.upload_from_string(after.model_dump_json(indent=2), if_generation_match=generation)
            except ConflictError:
                continue
            self._mirror(before, after)
            return after
        raise ConflictError("the aliases keep changing", where=f"gs://{self._bucket_name}/{self._model}/aliases.json")

    def _mirror(self, before: Aliases, after: Aliases) -> None:
        """Bring Vertex AI's aliases to where `after` points; `default`, which every model has, is the champion."""
        for alias, version in after.current.items():
            names = [alias.value, "default"] if alias is Alias.CHAMPION else [alias.value]
            self._merge(version, names)
        for alias, version in before.current.items():
            if alias not in after.current:
                self._merge(version, [f"-{alias.value}"])

    def _merge(self, version: int, names: Sequence[str]) -> None:
        self._models.merge_version_aliases(name=f"{self.resource}@{version}", version_aliases=[*names])


def _checked(path: Path, expected: str) -> bytes:
    """The file's bytes, if they are those that the candidate names."""
    if not path.is_file():
        raise BadDataError("a file of the candidate is missing", where=path)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != expected:
        raise BadDataError("is not the file the candidate names: its SHA-256 differs", where=path)
    return data
