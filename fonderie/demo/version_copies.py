"""Copies of a registered version for rehearsals: one that is equal, one that is wrong in a way a canary must see."""

from __future__ import annotations

import hashlib
import shutil
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from fonderie.core.errors import RefusedError
from fonderie.core.files import replacing
from ml.registry import Candidate, Registry, Version
from ml.serving.scoring.compiled_version import MANIFEST, PROBES, Manifest, Probes
from ml.serving.scoring.encoder import Encoder
from ml.serving.scoring.engines import Engine, read_engine


def register_twin(
    registry: Registry, version: Version, scratch: Path, *, run_id: str, shift: float = 0.0, who: str, now: datetime
) -> int:
    """Register a copy of `version` under another run; with `shift` its raw sums are off by so much.

    Raises RefusedError for a version whose trees are not kept as tables: then only an equal twin can be made.
    """
    for name in version.record.files:
        shutil.copyfile(version.folder / name, scratch / name)
    if shift:
        _shift(scratch, shift)
    fields = {name: value for name, value in dict(version.record).items() if name in Candidate.model_fields}
    files = {name: hashlib.sha256((scratch / name).read_bytes()).hexdigest() for name in version.record.files}
    candidate = Candidate.model_validate(fields | {"run_id": run_id, "files": files})
    return registry.register(candidate, scratch, who=who, now=now).version


def _shift(folder: Path, by: float) -> None:
    """Move the baseline of the trees, and what the probes must answer with it: a wrong model, whole and consistent."""
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    if manifest.parity.engine is not Engine.TABLES:
        raise RefusedError(f"cannot make a faulty copy of a version served by {manifest.parity.engine}", where=folder)
    path = folder / Engine.TABLES.file
    with np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    arrays["baseline"] = arrays["baseline"] + by
    with replacing(path) as draft:
        np.savez_compressed(draft, allow_pickle=False, **arrays)
    probes = msgspec.json.decode((folder / PROBES).read_bytes(), type=Probes)
    answers = read_engine(Engine.TABLES, path, manifest.schema)(Encoder(manifest.schema).encode(probes.instances))
    (folder / PROBES).write_bytes(msgspec.json.encode(Probes(probes.instances, answers.tolist())))
    hashes = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest.sha256}
    signed = msgspec.structs.replace(manifest, sha256=hashes)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(signed))
