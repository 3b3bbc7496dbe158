"""A challenger is made from rows before the held-out days, is the same for the same seed, and survives its file."""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fonderie.core.errors import BadDataError, StepFailedError
from ml.datasets.months import Month
from ml.datasets.parquet import read_parquet
from ml.evaluation.answers import read_answers
from ml.evaluation.evaluate import Subject, importance, score
from ml.evaluation.holdout import Split, split
from ml.evaluation.scores import Role
from ml.features.tables import build, day_number
from ml.models import ModelConfig, TaskKind, load_model
from ml.training import artefact
from ml.training.fit import fit, frame, predict
from tests.small_model import small_place

MONTH = Month(2013, 2)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> ModelConfig:
    place = small_place(tmp_path_factory.mktemp("training"), per_day=30)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in place.environment.items():
            patch.setenv(name, value)
        model = load_model("small")
        _cuts[model.name] = split(build(model, [Month(2013, 1), MONTH]).table(), MONTH, model.data.holdout_fraction)
    return model


_cuts: dict[str, Split] = {}


@pytest.fixture(scope="module")
def cut(config: ModelConfig) -> Split:
    return _cuts[config.name]


@pytest.fixture(scope="module")
def folder(config: ModelConfig, cut: Split, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artefact")
    artefact.save(config, fit(config, cut.training), cut.training, folder)
    return folder


def read(folder: Path) -> artefact.Fit:
    return artefact.Fit.model_validate_json((folder / artefact.FIT).read_text())


def test_the_challenger_never_sees_a_held_out_row(cut: Split) -> None:
    first = day_number(date(2013, 2, 21))

    assert (cut.trained_until, cut.holdout_from) == (date(2013, 2, 20), date(2013, 2, 21))
    assert max(cut.training["day_number"].to_pylist()) < first <= min(cut.holdout["day_number"].to_pylist())
    assert cut.training["target"].null_count == cut.holdout["target"].null_count == 0


def test_changing_the_held_out_labels_changes_no_prediction(config: ModelConfig, cut: Split) -> None:
    """As if the future were another one: the model is made of the same rows."""
    whole = pa.concat_tables([cut.training, cut.holdout])
    place = whole.column_names.index("target")
    spoiled = np.where(np.arange(len(whole)) >= len(cut.training), 1e6, whole["target"].to_numpy())
    other = split(whole.set_column(place, "target", pa.array(spoiled)), MONTH, config.data.holdout_fraction)

    asked = frame(cut.holdout, config.features.names)
    before, after = (predict(fit(config, rows), asked) for rows in (cut.training, other.training))

    assert np.array_equal(before, after)


def test_a_month_without_labels_on_a_side_is_said(cut: Split) -> None:
    with pytest.raises(BadDataError, match="hold out"):
        split(cut.training, MONTH, 0.3)
    with pytest.raises(BadDataError, match="train on"):
        split(cut.holdout, MONTH, 0.3)


def test_unknown_and_missing_categories_are_answered(config: ModelConfig, cut: Split, folder: Path) -> None:
    pipeline = artefact.load_model(folder / artefact.MODEL)
    rows = frame(cut.holdout.slice(0, 2), config.features.names).assign(carrier=["ZZ", None], temp=[np.nan, 50.0])

    assert np.isfinite(predict(pipeline, rows)).all()


def test_a_feature_that_is_not_there_is_named(config: ModelConfig, cut: Split) -> None:
    with pytest.raises(BadDataError, match="features missing: temp"):
        frame(cut.holdout.drop_columns("temp"), config.features.names)


def test_a_feature_with_too_many_categories_is_named(config: ModelConfig, cut: Split) -> None:
    place = cut.training.column_names.index("dest")
    spoiled = cut.training.set_column(place, "dest", pa.array([f"D{n}" for n in range(len(cut.training))]))

    with pytest.raises(BadDataError, match="feature dest"):
        fit(config, spoiled)


def test_one_class_only_is_said(config: ModelConfig, cut: Split) -> None:
    place = cut.training.column_names.index("target")
    ones = cut.training.set_column(place, "target", pa.array(np.ones(len(cut.training))))

    with pytest.raises(BadDataError, match="one class"):
        fit(config.model_copy(update={"task": TaskKind.CLASSIFICATION}), ones)


def test_the_same_rows_and_seed_give_the_same_predictions(
    config: ModelConfig, cut: Split, folder: Path, tmp_path: Path
) -> None:
    again = artefact.save(config, fit(config, cut.training), cut.training, tmp_path)

    assert again.prediction_hash == read(folder).prediction_hash
    assert again.files == read(folder).files  # every byte, so that a twin is known by its SHA-256


def reproduces(folder: Path, pipeline: Any, features: tuple[str, ...]) -> bool:
    """Whether the pipeline answers the folder's probes as it did when it was saved."""
    probes = read_parquet(folder / artefact.PROBE)
    answers = predict(pipeline, frame(probes, features))
    return bool(np.allclose(answers, probes["prediction"].to_numpy(), rtol=0, atol=1e-9))


def test_a_model_reads_back_as_it_was_and_answers_its_probes(config: ModelConfig, folder: Path) -> None:
    made = read(folder)

    pipeline = artefact.load_model(folder / artefact.MODEL, made.model_hash)

    assert reproduces(folder, pipeline, config.features.names)
    assert set(made.files) == {path.name for path in folder.iterdir()} - {artefact.FIT}
    assert {artefact.MODEL, artefact.PROBE, artefact.REFERENCE, "serving.json"} <= set(made.files)
    assert [column.name for column in made.features] == list(config.features.names)


def test_a_changed_model_no_longer_answers_its_probes(config: ModelConfig, cut: Split, folder: Path) -> None:
    other = fit(config, cut.training.slice(0, len(cut.training) // 2))

    assert not reproduces(folder, other, config.features.names)


@pytest.mark.parametrize("spoil", ["truncated", "changed", "pickle", "an untrusted type"])
def test_a_file_that_is_no_longer_the_model_is_refused(folder: Path, tmp_path: Path, spoil: str) -> None:
    path = tmp_path / "model.skops"
    whole = (folder / artefact.MODEL).read_bytes()
    expected = None
    if spoil == "truncated":
        path.write_bytes(whole[:-200])
    elif spoil == "changed":
        path.write_bytes(whole + b" ")
        expected = read(folder).model_hash
    elif spoil == "pickle":
        path.write_bytes(pickle.dumps(artefact.load_model(folder / artefact.MODEL)))
    else:
        _with_type(folder / artefact.MODEL, path, "subprocess", "Popen")

    with pytest.raises(BadDataError, match=r"model\.skops"):
        artefact.load_model(path, expected)


def _with_type(source: Path, target: Path, module: str, name: str) -> None:
    """A copy whose outermost object claims another class."""
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w") as out:
        for entry in whole.namelist():
            data = whole.read(entry)
            if entry == "schema.json":
                schema = json.loads(data)
                data = json.dumps({**schema, "__module__": module, "__class__": name}).encode()
            out.writestr(entry, data)


def test_a_model_with_an_untrusted_type_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match="Split"):
        artefact.save_model({"model": Split}, tmp_path / "model.skops")
    assert not (tmp_path / "model.skops").exists()


def test_the_score_has_every_slice_with_its_interval(config: ModelConfig, cut: Split, folder: Path) -> None:
    subject = Subject(
        role=Role.CHALLENGER, model_hash="m", holdout_hash="h", trained_until="2013-02-20", holdout_from="2013-02-21"
    )
    answers = predict(artefact.load_model(folder / artefact.MODEL), frame(cut.holdout, config.features.names))

    made = score(config, subject, cut.holdout, answers)

    assert made.metric == pytest.approx(np.abs(answers - cut.holdout["target"].to_numpy()).mean())
    assert {each.name for each in made.slices} == {"origin=EWR", "origin=JFK", "origin=LGA"}
    assert sum(each.rows for each in made.slices) == made.rows == len(cut.holdout)
    for each in (made, *made.slices):
        assert each.interval is not None
        assert each.metric is not None
        assert each.interval.low < each.metric < each.interval.high
    assert set(made.others) == {"rmse"}


def test_what_is_judged_answers_as_the_pipeline_does(config: ModelConfig, cut: Split, folder: Path) -> None:
    """Also for categories and values the training has not seen."""
    answers = read_answers(folder, model=config.name, files=read(folder).files)
    place = cut.holdout.column_names.index("dest")
    names = [
        None if row % 7 == 0 else "ZZZ" if row % 5 == 0 else name
        for row, name in enumerate(cut.holdout["dest"].to_pylist())
    ]
    rows = cut.holdout.set_column(place, "dest", pa.array(names))

    pipeline = artefact.load_model(folder / artefact.MODEL)

    expected = predict(pipeline, frame(rows, config.features.names))
    assert np.abs(answers.predict(answers.matrix(rows)) - expected).max() <= 1e-9
    with pytest.raises(BadDataError, match="features missing: temp"):
        answers.matrix(rows.drop_columns("temp"))


@pytest.mark.parametrize("name", ["model.skops", "serving.json", "serving-trees.npz", "probe.parquet"])
def test_a_folder_with_another_file_than_it_was_made_with_is_not_judged(
    config: ModelConfig, folder: Path, tmp_path: Path, name: str
) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / name).write_bytes(b"other")

    with pytest.raises(BadDataError, match=name):
        read_answers(tmp_path / "copy", model=config.name, files=read(folder).files)


def test_importance_finds_what_the_label_is_made_of(config: ModelConfig, cut: Split, folder: Path) -> None:
    found = importance(config, read_answers(folder, model=config.name, files=read(folder).files), cut.holdout)

    assert {each.feature for each in found} == set(config.features.names)
    assert {found[0].feature, found[1].feature} == {"distance", "dest"}
    by_name = {each.feature: each.mean for each in found}
    assert by_name["distance"] + by_name["dest"] > 20 * abs(by_name["carrier"])
