"""Batch predictions and features at serving time, over invented months and a version trained on them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fonderie.core.errors import BadDataError, BadInputError, ConflictError
from ml.datasets.months import Month
from ml.datasets.sources import Source
from ml.features.queries import KEYS
from ml.features.tables import build, day_number
from ml.models import ModelConfig, load_model
from ml.registry import Registry, open_registry
from ml.serving.batch import predict_month
from ml.serving.scoring.compiled_version import load_version
from ml.serving.snapshots import snapshot
from ml.training import artefact
from ml.training.fit import fit, frame, predict
from tests.contract.registry.candidates import NOW, make_candidate
from tests.flights import write_months

JANUARY, FEBRUARY = Month(2013, 1), Month(2013, 2)


@pytest.fixture(scope="module")
def config() -> ModelConfig:
    """Every kind of feature that is looked up: timetable, weather, departures, history."""
    model = load_model("late_arrival")
    few = model.training.model_copy(
        update={"hyperparameters": model.training.hyperparameters.model_copy(update={"max_iter": 15})}
    )
    return model.model_copy(update={"training": few})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("batch")
    write_months(folder / "data", [JANUARY, FEBRUARY], per_day=30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FONDERIE_HOME", str(folder / "home"))
        patch.setenv("FONDERIE_DATA", str(folder / "data"))
        yield folder


@pytest.fixture(scope="module")
def registry(config: ModelConfig, place: Path) -> Registry:
    """Version 1 is champion; version 2 is the same trees under another run."""
    rows = build(config, [JANUARY]).table()
    rows = rows.filter(pa.compute.is_valid(rows["target"]))
    registry = open_registry(config.name)
    for name in ("first", "second"):
        folder = place / name
        candidate = make_candidate(folder, name, model=config.name)
        for file in folder.iterdir():
            file.unlink()
        artefact.save(config, fit(config, rows), rows, folder)
        files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
        whole = candidate.model_copy(update={"files": files, "model_hash": files["model.skops"]})
        registry.register(whole, folder, who="test", now=NOW)
    registry.promote(1, None, reason="first", who="test", now=NOW)
    return registry


def test_a_month_is_predicted_day_by_day_as_the_pipeline_would(
    config: ModelConfig, registry: Registry, tmp_path: Path
) -> None:
    done = predict_month(config, FEBRUARY, registry, out=tmp_path)

    features = build(config, [FEBRUARY]).table()
    pipeline = artefact.load_model(registry.get(1).model_path)
    expected = predict(pipeline, frame(features, config.features.names))
    written = pa.concat_tables(pq.read_table(path) for path in sorted(tmp_path.glob("date=*.parquet")))
    assert (done.rows, done.days, done.version) == (len(features), 28, 1)
    assert written.select(KEYS).equals(features.select(KEYS))
    assert np.abs(written["prediction"].to_numpy() - expected).max() <= 1e-9
    assert set(written["model_version"].to_pylist()) == {1}


def test_a_run_that_broke_off_goes_on_with_its_version(config: ModelConfig, registry: Registry, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(day: object) -> None:
        if len(list(tmp_path.glob("date=*.parquet"))) == 5:
            raise StopError

    with pytest.raises(StopError):
        predict_month(config, FEBRUARY, registry, out=tmp_path, progress=stop)
    assert not (tmp_path / "done.json").exists()
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("date=*.parquet")}
    registry.promote(2, 1, reason="meanwhile", who="test", now=NOW)

    resumed: list[bool] = []
    try:
        done = predict_month(config, FEBRUARY, registry, out=tmp_path, progress=lambda day: resumed.append(day.resumed))
    finally:
        registry.promote(1, 2, reason="back", who="test", now=NOW)

    assert (done.version, resumed) == (1, [True] * 5 + [False] * 23)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in stamps.items())


def test_another_version_or_other_data_do_not_mix_with_a_run(
    config: ModelConfig, registry: Registry, tmp_path: Path, place: Path
) -> None:
    predict_month(config, FEBRUARY, registry, out=tmp_path)
    run = json.loads((tmp_path / "run.json").read_text())

    with pytest.raises(ConflictError, match="version"):
        predict_month(config, FEBRUARY, registry, out=tmp_path, version="2")
    (tmp_path / "run.json").write_text(json.dumps(run | {"data_hash": "other"}))
    with pytest.raises(ConflictError, match="data_hash"):
        predict_month(config, FEBRUARY, registry, out=tmp_path)
    assert predict_month(config, FEBRUARY, registry, out=tmp_path, version="2", fresh=True).version == 2
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(BadInputError, match="not a batch run"):
        predict_month(config, FEBRUARY, registry, out=tmp_path)


def test_a_version_that_reads_other_features_or_a_month_without_data_is_refused(
    config: ModelConfig, registry: Registry, tmp_path: Path
) -> None:
    numeric = tuple(name for name in config.features.numeric if name != "distance")
    fewer = config.model_copy(update={"features": config.features.model_copy(update={"numeric": numeric})})

    with pytest.raises(BadDataError, match="reads unknown features: distance"):
        predict_month(fewer, FEBRUARY, registry, out=tmp_path / "a")
    with pytest.raises(BadDataError, match="no flights for 2013-09"):
        predict_month(config, Month(2013, 9), registry, out=tmp_path / "b")


@pytest.mark.e2e
def test_the_batch_pipeline_predicts_the_month_too(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.batch.run import run_batch

    folder = run_batch(registry.model, "2013-02")

    assert len(list(folder.glob("date=*.parquet"))) == 28
    assert json.loads((folder / "done.json").read_text())["version"] == 1


def test_a_month_of_requests_gets_the_features_of_training(config: ModelConfig, registry: Registry) -> None:
    served = load_version(registry.get(1).folder, version="1")
    trained = build(config, [FEBRUARY]).table()
    compared = 0

    for day in range(1, FEBRUARY.days + 1):
        then = date(2013, 2, day)
        known = snapshot(config, then)
        rows = trained.filter(pa.compute.equal(trained["day_number"], day_number(then))).to_pylist()
        instances = [known.instance(tuple(row[name] for name in KEYS)) for row in rows]
        for row, instance in zip(rows, instances, strict=True):
            assert set(instance) == set(served.schema.names)
            for name, value in instance.items():
                assert value == row[name], (then, name)
                compared += 1
        served.encoder.encode(instances)
    assert compared == len(trained) * len(config.features.names)


def test_a_snapshot_of_a_minute_suffices_for_its_flights(config: ModelConfig, registry: Registry, place: Path) -> None:
    noon = snapshot(config, date(2013, 2, 3), minute=720)
    whole = snapshot(config, date(2013, 2, 3))

    minutes = {key: key[KEYS.index("sched_dep_time")] for key in whole.rows}
    assert all(noon.rows[key] == whole.rows[key] for key, at in minutes.items() if at <= 1200)
    assert any(noon.rows[key] != whole.rows[key] for key, at in minutes.items() if at > 1200)


@pytest.mark.parametrize("minute", [300, 720, 891, 892])
def test_what_happens_after_its_minute_changes_no_snapshot(
    config: ModelConfig, place: Path, tmp_path: Path, minute: int
) -> None:
    """Departures, landings, and reports of the weather, which are made at 51 minutes past."""
    shutil.copytree(place / "data", tmp_path / "data")
    flights, weather = (tmp_path / f"data/{name}/2013-02.parquet" for name in ("flights", "weather"))
    rows = pq.read_table(flights).to_pandas()
    left = (rows["day"] - 10) * 1440 + rows["hour"] * 60 + rows["minute"] + rows["dep_delay"]
    rows.loc[left > minute, ["dep_delay"]] += 30
    rows.loc[left + rows["air_time"] > minute, ["air_time", "arr_delay"]] += 30
    rows.to_parquet(flights)
    reports = pq.read_table(weather).to_pandas()
    later = (reports["day"] - 10) * 1440 + reports["hour"] * 60 + 51 >= minute
    reports.loc[later, ["temp", "visib"]] /= 2
    reports.to_parquet(weather)

    before = snapshot(config, date(2013, 2, 10), Source(place / "data"), minute=minute)
    after = snapshot(config, date(2013, 2, 10), Source(tmp_path / "data"), minute=minute)

    assert before == after


def test_a_flight_that_is_not_scheduled_has_no_features(config: ModelConfig, place: Path) -> None:
    with pytest.raises(BadInputError, match="is scheduled on 2013-02-03"):
        snapshot(config, date(2013, 2, 3)).instance((2013, 2, 3, "JFK", "ZZ", 1, 600))
