from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.pipeline import Pipeline

from fonderie.core.errors import BadDataError, FonderieError, RefusedError
from ml.serving.scoring.compiled_version import load_version
from ml.serving.scoring.engines import Engine, read_engine, write_engine
from ml.serving.scoring.frames import frame_of, matrix_of
from ml.serving.scoring.pipeline_parts import read_pipeline
from ml.serving.scoring.schema import Task
from ml.training.artefact import save_model
from tests.unit.ml.serving.flights import CATEGORICAL, FEATURES, INSTANCE, NUMERIC, fit, make_flights, register


def test_a_compiled_version_answers_as_the_pipeline_does(version: Path, pipeline: Pipeline) -> None:
    flights = make_flights(700, seed=5)

    served = load_version(version, version="3", model="air_time")
    matrix, unknown = matrix_of(served.schema, pa.Table.from_pandas(flights))

    assert served.parity.engine is Engine.TABLES
    assert served.parity.max_difference <= 1e-9
    assert unknown == {}
    assert np.abs(served.predict(matrix) - pipeline.predict(flights[FEATURES])).max() <= 1e-9
    for row in range(20):  # one row takes another way than many
        assert (
            abs(served.predict(matrix[row : row + 1])[0] - pipeline.predict(flights[FEATURES][row : row + 1])[0])
            <= 1e-9
        )


def test_a_classifier_answers_with_its_probability(late_version: Path) -> None:
    served = load_version(late_version, version="1", model="late_arrival")

    answers = served.predict(served.encoder.encode([INSTANCE] * 10))

    assert ((answers > 0) & (answers < 1)).all()


@pytest.mark.parametrize(("leaves", "engine"), [(50, Engine.TABLES), (90, Engine.SKLEARN)])
def test_trees_of_any_size_are_served_exactly(
    leaves: int, engine: Engine, flights: pd.DataFrame, tmp_path: Path
) -> None:
    parity = register(tmp_path, fit(flights, leaves=leaves, iterations=8))

    assert parity.engine is engine
    assert parity.max_difference <= 1e-9
    assert load_version(tmp_path, version="1").parity == parity


@pytest.fixture
def treelite_version(flights: pd.DataFrame, tmp_path: Path) -> tuple[Path, Pipeline]:
    """A version as it was registered while treelite was an engine."""
    pipeline = fit(flights, leaves=90, iterations=8)
    register(tmp_path, pipeline)
    (tmp_path / "serving-pipeline.skops").unlink()
    (tmp_path / "serving-trees.treelite").write_bytes(b"what treelite serialised")
    save_model(pipeline, tmp_path / "model.skops")
    manifest = json.loads((tmp_path / "serving.json").read_text())
    manifest["parity"] |= {"engine": "treelite", "passed_over": {"tables": "a tree has 90 leaves"}}
    manifest["sha256"] = dict.fromkeys(["serving-trees.treelite", "serving-probes.json"], "")
    resign(tmp_path, manifest)
    return tmp_path, pipeline


def test_a_version_that_names_treelite_is_scored_by_scikit_learn(treelite_version: tuple[Path, Pipeline]) -> None:
    folder, pipeline = treelite_version
    flights = make_flights(300, seed=5)

    served = load_version(folder, version="1", model="air_time")
    matrix, _ = matrix_of(served.schema, pa.Table.from_pandas(flights))

    assert served.parity.engine is Engine.SKLEARN
    assert np.abs(served.predict(matrix) - pipeline.predict(flights[FEATURES])).max() <= 1e-9


def test_a_version_that_names_treelite_is_refused_when_its_pipeline_is_another(
    treelite_version: tuple[Path, Pipeline], pipeline: Pipeline
) -> None:
    folder, _ = treelite_version
    save_model(pipeline, folder / "model.skops")

    with pytest.raises(RefusedError, match="answers differ"):
        load_version(folder, version="1")

    (folder / "model.skops").write_bytes(b"PK")
    with pytest.raises(BadDataError, match="cannot be read as a model"):
        load_version(folder, version="1")


def test_every_engine_gives_the_same_answers(pipeline: Pipeline, flights: pd.DataFrame, tmp_path: Path) -> None:
    schema, trees, feeds = read_pipeline(pipeline, model="air_time", task=Task.REGRESSION, features=FEATURES)
    matrix, _ = matrix_of(schema, pa.Table.from_pandas(flights[:200]))

    answers = []
    for engine in Engine:
        write_engine(engine, tmp_path / engine.file, pipeline=pipeline, trees=trees, feeds=feeds)
        answers.append(read_engine(engine, tmp_path / engine.file, schema)(matrix))

    assert np.ptp(answers, axis=0).max() <= 1e-9


def test_trees_that_read_strings_themselves_are_compiled_too(flights: pd.DataFrame, tmp_path: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor

    mixed = [CATEGORICAL[0], *NUMERIC, CATEGORICAL[1]]
    frame = flights[mixed].astype(dict.fromkeys(CATEGORICAL, "category"))
    trees = HistGradientBoostingRegressor(max_iter=20, categorical_features="from_dtype").fit(
        frame, flights["air_time"]
    )
    schema, _, feeds = read_pipeline(trees, model="air_time", task=Task.REGRESSION, features=FEATURES)
    write_engine(Engine.TABLES, tmp_path / "trees.npz", pipeline=trees, trees=trees, feeds=feeds)

    matrix, _ = matrix_of(schema, pa.Table.from_pandas(flights[:300]))
    answers = read_engine(Engine.TABLES, tmp_path / "trees.npz", schema)(matrix)

    assert np.abs(answers - trees.predict(frame[:300])).max() <= 1e-9


def test_unknown_categories_of_a_batch_are_counted_and_read_as_missing(version: Path, pipeline: Pipeline) -> None:
    flights = make_flights(50, seed=1)
    flights.loc[:4, "dest"] = "Atlantis"
    served = load_version(version, version="1")

    matrix, unknown = matrix_of(served.schema, pa.Table.from_pandas(flights))

    assert unknown == {"dest": 5}
    assert np.abs(served.predict(matrix) - pipeline.predict(flights[FEATURES])).max() <= 1e-9
    assert frame_of(served.schema, matrix)["dest"].isna().sum() == 5


def change(folder: Path, file: str, edit: str) -> None:
    path = folder / file
    match edit:
        case "gone":
            path.unlink()
        case "cut":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        case "garbage":
            path.write_bytes(b"\x00\x01")


@pytest.mark.parametrize("file", ["serving.json", "serving-trees.npz", "serving-probes.json"])
@pytest.mark.parametrize("edit", ["gone", "cut", "garbage"])
def test_a_damaged_version_is_refused_in_words(version: Path, file: str, edit: str, tmp_path: Path) -> None:
    shutil.copytree(version, tmp_path, dirs_exist_ok=True)
    change(tmp_path, file, edit)

    with pytest.raises(BadDataError) as refused:
        load_version(tmp_path, version="1")

    assert file in str(refused.value)


def resign(folder: Path, manifest: dict[str, object]) -> None:
    import hashlib

    names = manifest["sha256"]
    assert isinstance(names, dict)
    manifest["sha256"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "serving.json").write_text(json.dumps(manifest))


def test_a_server_whose_answers_differ_refuses_to_start(version: Path, tmp_path: Path) -> None:
    shutil.copytree(version, tmp_path, dirs_exist_ok=True)
    probes = json.loads((tmp_path / "serving-probes.json").read_text())
    probes["predictions"][3] += 2e-9
    (tmp_path / "serving-probes.json").write_text(json.dumps(probes))
    resign(tmp_path, json.loads((tmp_path / "serving.json").read_text()))

    with pytest.raises(RefusedError, match="answers differ"):
        load_version(tmp_path, version="1")


@pytest.mark.parametrize("edit", ["fewer", "renamed", "categories", "format"])
def test_a_version_of_another_schema_is_refused(version: Path, edit: str, tmp_path: Path) -> None:
    shutil.copytree(version, tmp_path, dirs_exist_ok=True)
    manifest = json.loads((tmp_path / "serving.json").read_text())
    fields = manifest["schema"]["fields"]
    match edit:
        case "fewer":
            fields.pop(0)
        case "renamed":
            fields[0]["name"] = "miles"
        case "categories":
            fields[-1]["categories"] = fields[-1]["categories"][::-1]
        case "format":
            manifest["format"] = 99
    resign(tmp_path, manifest)

    with pytest.raises(FonderieError):
        load_version(tmp_path, version="1")


def test_a_version_of_another_model_is_refused(version: Path) -> None:
    with pytest.raises(RefusedError, match="air_time"):
        load_version(version, version="1", model="late_arrival")


def test_a_pipeline_the_encoder_cannot_feed_is_refused_at_registration(flights: pd.DataFrame, tmp_path: Path) -> None:
    from sklearn.preprocessing import StandardScaler

    scaled = Pipeline([("scale", StandardScaler()), *fit(flights, iterations=2).steps])

    with pytest.raises(RefusedError, match="2 steps before the trees"):
        register(tmp_path, scaled)


def test_a_file_that_names_other_types_than_ours_is_not_loaded(
    version: Path, flights: pd.DataFrame, tmp_path: Path
) -> None:
    from skops import io

    io.dump(subprocess.Popen, tmp_path / "pipeline.skops")

    with pytest.raises(BadDataError, match="contains untrusted types"):
        read_engine(Engine.SKLEARN, tmp_path / "pipeline.skops", load_version(version, version="1").schema)


def test_a_version_is_loaded_without_scikit_learn_and_pandas(version: Path) -> None:
    code = (
        "import sys, pathlib; from ml.serving.scoring.compiled_version import load_version;"
        f"load_version(pathlib.Path({str(version)!r}), version='1');"
        "print([name for name in ('sklearn', 'pandas', 'scipy', 'skops') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
