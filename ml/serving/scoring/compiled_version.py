"""What of a version is served: compiled before the version is registered, checked again whenever a server starts.

serving.json           schema, engine, sha256 of the other two, parity with the pipeline
serving-probes.json    rows and the pipeline's own answers
serving-trees.npz      what the engine reads (or serving-pipeline.skops)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fonderie.core.errors import BadDataError, RefusedError
from fonderie.core.files import write_bytes
from ml.serving.scoring.encoder import BodyError, Encoder, Matrix
from ml.serving.scoring.engines import Engine, Predict, Predictions, pipeline_predict, read_engine, write_engine
from ml.serving.scoring.frames import frame_of, instances_of, matrix_of, probe_matrix
from ml.serving.scoring.pipeline_parts import Feed, NotCompiledError, read_pipeline
from ml.serving.scoring.schema import Schema, Task

MANIFEST = "serving.json"
PROBES = "serving-probes.json"
FORMAT = 1
TREELITE, PIPELINE = "serving-trees.treelite", "model.skops"
"""The file of an engine that is gone, and the pipeline that training wrote beside it: scikit-learn scores that one."""
TOLERANCE = 1e-9


class Parity(msgspec.Struct, frozen=True):
    """How the engine's answers compare with the pipeline's: `max_difference` in the prediction's unit."""

    engine: Engine
    probes: int
    max_difference: float
    passed_over: dict[str, str] = {}  # engine -> why it was not taken; msgspec copies defaults


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a version says of how it is served."""

    format: int
    schema: Schema
    parity: Parity
    sha256: dict[str, str]

    @property
    def engine_file(self) -> str:
        """The name of the file that the engine reads."""
        return PIPELINE if TREELITE in self.sha256 else self.parity.engine.file


class Probes(msgspec.Struct, frozen=True):
    """Instances as a client sends them, and the answers they must get."""

    instances: list[dict[str, Any]]
    predictions: list[float]


@dataclass(frozen=True)
class Served:
    """A version that is ready to answer."""

    version: str
    schema: Schema
    encoder: Encoder
    predict: Predict
    parity: Parity
    edges: tuple[float, ...]  # deciles of the probes' predictions: the buckets of the metrics


def compile_version(folder: Path, *, pipeline: Any, model: str, task: str, features: list[str], sample: Any) -> Parity:
    """Write the serving files of a fitted pipeline into `folder`; the parity belongs into the model's record.

    `features` are the model's, in its own order; `sample` is a frame of held-out rows with these columns.
    Raises RefusedError when not even scikit-learn, fed by the encoder, answers as the pipeline does.
    """
    import pyarrow as pa

    try:
        schema, trees, feeds = read_pipeline(pipeline, model=model, task=Task(task), features=features)
    except NotCompiledError as error:
        raise RefusedError(
            str(error), where="serving", hint="keep transformations in features, not before the trees"
        ) from None
    rows, _ = matrix_of(schema, pa.Table.from_pandas(sample[features], preserve_index=False))
    probes = probe_matrix(schema, rows)
    expected = pipeline_predict(pipeline, schema, frame_of)(probes)
    parity = _first_exact(folder, _Candidate(pipeline, trees, feeds, schema), probes, expected)
    _write(folder, Manifest(FORMAT, schema, parity, {}), Probes(instances_of(schema, probes), expected.tolist()))
    return parity


@dataclass(frozen=True)
class _Candidate:
    pipeline: Any
    trees: Any
    feeds: list[Feed]
    schema: Schema


def _first_exact(folder: Path, candidate: _Candidate, probes: Matrix, expected: Predictions) -> Parity:
    """Compile for one engine after the other until one answers exactly."""
    passed_over: dict[str, str] = {}
    for engine in Engine:
        path = folder / engine.file
        try:
            write_engine(engine, path, pipeline=candidate.pipeline, trees=candidate.trees, feeds=candidate.feeds)
        except NotCompiledError as error:
            passed_over[engine] = str(error)
            continue
        difference = float(np.abs(read_engine(engine, path, candidate.schema)(probes) - expected).max())
        if difference <= TOLERANCE:
            return Parity(engine, len(probes), difference, passed_over)
        passed_over[engine] = f"differs from the pipeline by {difference:.3g}"
        path.unlink()
    raise RefusedError(f"no engine reproduces the pipeline's answers: {passed_over}", where=folder)


def _write(folder: Path, manifest: Manifest, probes: Probes) -> None:
    write_bytes(folder / PROBES, msgspec.json.encode(probes))
    files = (manifest.parity.engine.file, PROBES)
    signed = msgspec.structs.replace(manifest, sha256={name: _sha256(folder / name) for name in files})
    write_bytes(folder / MANIFEST, msgspec.json.format(msgspec.json.encode(signed)))


def load_version(folder: Path, *, version: str, model: str | None = None, max_instances: int = 1000) -> Served:
    """Read a version and ask it its probes again. Raises BadDataError or RefusedError: it must not be served."""
    manifest = _manifest(folder)
    schema = manifest.schema
    if model is not None and schema.model != model:
        raise RefusedError(f"this is a version of {schema.model!r}, not of {model!r}", where=folder)
    for name, expected in manifest.sha256.items():
        _check_file(folder / name, expected)
    try:
        predict = read_engine(manifest.parity.engine, folder / manifest.engine_file, schema)
        probes = msgspec.json.decode((folder / PROBES).read_bytes(), type=Probes)
    except (ValueError, KeyError, OSError, msgspec.MsgspecError) as error:
        raise BadDataError(f"cannot be read: {error}", where=folder) from None
    encoder = Encoder(schema, max_instances=max_instances)
    answers = check_probes(encoder, predict, probes, where=folder)
    edges = tuple(float(edge) for edge in np.unique(np.quantile(answers, np.linspace(0.1, 0.9, 9)).round(6)))
    return Served(version, schema, encoder, predict, manifest.parity, edges)


def check_probes(encoder: Encoder, predict: Predict, probes: Probes, *, where: Path) -> Matrix:
    """Ask the probes through the encoder, as requests are. Raises RefusedError when an answer differs."""
    try:
        answers = predict(encoder.encode(probes.instances))
    except BodyError as error:
        raise RefusedError(f"the schema does not take the recorded probes: {error}", where=where) from None
    expected = np.array(probes.predictions)
    if answers.shape != expected.shape:
        raise RefusedError(f"{len(answers)} answers to {len(expected)} recorded probes", where=where)
    difference = float(np.abs(answers - expected).max(initial=0.0))
    if not difference <= TOLERANCE:
        raise RefusedError(
            f"answers differ from the registered pipeline's by {difference:.3g}, more than {TOLERANCE:g}",
            where=where,
            hint="register the version again on this platform",
        )
    return answers


def probe_instances(folder: Path) -> list[dict[str, Any]]:
    """What a version can be asked: the probes that every server start asks it. Raises BadDataError when it has none."""
    try:
        return msgspec.json.decode((folder / PROBES).read_bytes(), type=Probes).instances
    except (OSError, msgspec.MsgspecError) as error:
        raise BadDataError(f"no probes: {error}", where=folder / PROBES, hint="register the version again") from None


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError:
        raise BadDataError("there is no serving manifest here", where=path, hint="register the version again") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadDataError(f"the serving manifest cannot be read: {error}", where=path) from None
    if manifest.format != FORMAT:
        raise BadDataError(f"serving format {manifest.format}; this server reads {FORMAT}", where=path)
    signed = TREELITE if manifest.engine_file == PIPELINE else manifest.engine_file
    if set(manifest.sha256) != {signed, PROBES}:
        raise BadDataError("the serving manifest names other files than its engine reads", where=path)
    return manifest


def _check_file(path: Path, expected: str) -> None:
    if not path.is_file():
        raise BadDataError("a file of the version is missing", where=path)
    actual = _sha256(path)
    if actual != expected:
        size = path.stat().st_size
        raise BadDataError(
            f"truncated or changed: {size} bytes with sha256 {actual[:12]}, not {expected[:12]}", where=path
        )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
