"""Experiments: recorded, comparable, repeatable, and no way around the gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from fonderie.core.errors import BadInputError
from ml.datasets.months import Month
from ml.evaluation.decision import Outcome
from ml.models import ModelConfig
from ml.registry import open_registry
from pipelines.engines.folder import RunFolder
from pipelines.engines.local import LocalEngine
from pipelines.experiments.page import experiment_page
from pipelines.experiments.search import ExperimentResult, experiment, parse_grid, promote, variants
from pipelines.training.challengers import train_once

MONTH = Month(2013, 2)
GRID = {"learning_rate": [0.02, 0.3], "max_iter": [12]}


def silent(doing: str) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def place(home: Path, invented: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(home))
    monkeypatch.setenv("FONDERIE_DATA", str(invented))


@pytest.fixture
def tried(quick: ModelConfig) -> list[ExperimentResult]:
    return experiment(quick, MONTH, GRID, "", silent)


def test_every_combination_is_a_run_and_the_best_comes_first(tried: list[ExperimentResult]) -> None:
    assert [each.settings["learning_rate"] for each in tried] == [0.3, 0.02]
    runs = {run.id: run for run in LocalEngine().list()}
    for each in tried:
        run = runs[each.run_id]
        assert (run.pipeline, run.state, run.parameters["month"]) == ("experiment", "succeeded", "2013-02")
        assert run.parameters["learning_rate"] == str(each.settings["learning_rate"])
        assert {"commit", "code_version"} <= set(run.parameters)
    assert len({each.score.holdout_hash for each in tried}) == 1


def test_asking_again_trains_nothing_and_says_the_same(
    quick: ModelConfig, tried: list[ExperimentResult], home: Path
) -> None:
    before = sorted((home / "cache" / "trainings" / "air_time").iterdir())
    assert experiment(quick, MONTH, GRID, "", silent) == tried
    assert sorted((home / "cache" / "trainings" / "air_time").iterdir()) == before


def test_same_data_code_and_seed_give_the_same_predictions_elsewhere(
    quick: ModelConfig, tried: list[ExperimentResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))
    best = variants(quick, {"learning_rate": [0.3], "max_iter": [12]})[0][1]
    assert train_once(best, MONTH).fit().prediction_hash == tried[0].prediction_hash
    assert tried[0].prediction_hash != tried[1].prediction_hash


def test_a_run_becomes_champion_through_the_gate_only(tried: list[ExperimentResult], tmp_path: Path) -> None:
    registry = str(tmp_path / "registry")
    best, worst = tried
    assert promote(best.run_id, registry).outcome is Outcome.PROMOTE
    assert promote(worst.run_id, registry).outcome is Outcome.KEEP
    versions = open_registry("air_time", registry)
    assert [record.run_id for record in versions.list()] == [best.run_id]
    assert versions.aliases().champion == 1


def test_another_run_than_an_experiment_s_is_refused() -> None:
    with pytest.raises(BadInputError, match="unknown run"):
        promote("air_time-2013-04-x", "")


@pytest.mark.parametrize(
    ("text", "says"),
    [("depth=3", "unknown hyper-parameter"), ("max_iter=many", "max_iter=many"), ("max_iter", "max_iter")],
)
def test_a_wrong_setting_is_named(text: str, says: str) -> None:
    with pytest.raises(BadInputError, match=says):
        parse_grid([text])


def test_a_value_that_cannot_be_is_named(quick: ModelConfig) -> None:
    with pytest.raises(BadInputError, match="learning_rate"):
        variants(quick, {"learning_rate": [2.0]})


def test_without_settings_the_model_s_own_file_is_tried(quick: ModelConfig) -> None:
    assert parse_grid([]) == {}
    ((settings, config),) = variants(quick, {})
    assert settings == {}
    assert config == quick


def test_the_page_has_a_table_and_a_line_for_every_run(quick: ModelConfig, tried: list[ExperimentResult]) -> None:
    page = experiment_page(quick, "2013-02", tried)
    assert page.count('<path class="line-') == len(tried)
    assert all(each.run_id in page for each in tried)


def test_a_killed_attempt_is_written_over(quick: ModelConfig, tried: list[ExperimentResult]) -> None:
    """The record comes last: without it, the run is made again."""
    (RunFolder(tried[0].run_id).path / "tried.json").unlink()
    assert experiment(quick, MONTH, GRID, "", silent) == tried
