"""The steps one after the other, as functions: what Kubeflow's tasks do, without their processes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fonderie.core.errors import BadDataError
from ml.datasets.parquet import read_parquet
from ml.evaluation.decision import Decision, Outcome
from ml.evaluation.scores import Evaluation
from ml.models import load_model
from ml.registry import open_registry
from pipelines.training import steps
from tests.small_model import SMALL, Place, small_place

LATE = (
    SMALL.replace('name = "small"', 'name = "late"')
    .replace('task = "regression"', 'task = "classification"')
    .replace("learning_rate = 0.3", "learning_rate = 0.1")
    .replace('column = "air_time"', 'column = "arr_delay"\nthreshold = 15')
    .replace('metric = "mae"\nfloor = 15.0\nceiling = 1.0', 'metric = "roc_auc"\nfloor = 0.1\nceiling = 0.999')
)


class Walk:
    """One run of all steps for a configuration, its artefacts under `folder`."""

    def __init__(self, folder: Path, config: str, registry: Path, *, month: str = "2013-02") -> None:
        folder.mkdir(parents=True)
        at = {name: str(folder / name) for name in ARTEFACTS}
        self.at, self.registry = at, str(registry)
        steps.extract(config, month, "", at["partitions"])
        steps.validate(config, at["partitions"], at["contracts"])
        steps.features(config, at["partitions"], at["training"], at["holdout"], at["lineage"], self.registry)
        steps.train(config, at["training"], at["challenger"])
        steps.evaluate(config, self.registry, at["challenger"], at["holdout"], at["lineage"], at["evaluation"])
        self.outcome = steps.gate(config, self.registry, at["evaluation"], at["lineage"], at["decision"])
        self.version = "kept"
        if self.outcome == "promote":
            made = steps.promotion_files(at["challenger"], at["lineage"], at["evaluation"], at["decision"])
            self.version = steps.promote(config, self.registry, steps.origin(folder.name, "commit", "code"), made)
        seen = steps.report_files(at["contracts"], at["lineage"], at["evaluation"], at["decision"])
        steps.report(config, self.registry, folder.name, self.version, seen, at["page"])

    @property
    def decision(self) -> Decision:
        return Decision.model_validate_json(Path(self.at["decision"]).read_text())

    @property
    def evaluation(self) -> Evaluation:
        return Evaluation.model_validate_json((Path(self.at["evaluation"]) / steps.EVALUATION).read_text())


ARTEFACTS = (
    "partitions",
    "contracts",
    "training",
    "holdout",
    "lineage",
    "challenger",
    "evaluation",
    "decision",
    "page",
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = small_place(tmp_path / "place", per_day=30)
    (made.models / "late.toml").write_text(LATE)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


def config(model: str) -> str:
    return load_model(model).model_dump_json()


def test_a_classifier_goes_the_same_way(place: Place, tmp_path: Path) -> None:
    walk = Walk(tmp_path / "run", config("late"), tmp_path / "registry")

    ours = walk.evaluation.challenger
    assert (walk.outcome, walk.version) == ("promote", "v001")
    assert ours.name == "roc_auc"
    assert ours.metric is not None
    assert 0.3 < ours.metric < 0.9
    assert set(ours.others) == {"log_loss", "brier", "average_precision", "calibration_error"}
    assert sum(each.rows for each in ours.calibration) == ours.rows
    assert "Share of positives" in Path(walk.at["page"]).read_text()


def test_without_its_evaluation_the_gate_keeps(place: Place, tmp_path: Path) -> None:
    walk = Walk(tmp_path / "run", config("small"), tmp_path / "registry")
    (Path(walk.at["evaluation"]) / steps.EVALUATION).unlink()

    said = steps.gate(config("small"), walk.registry, walk.at["evaluation"], walk.at["lineage"], walk.at["decision"])

    assert said == "keep"
    assert steps.keep(walk.at["decision"]) == "kept"
    assert walk.decision.outcome is Outcome.KEEP


def test_a_champion_is_scored_by_its_own_features_when_the_model_s_file_has_dropped_one(
    place: Place, tmp_path: Path
) -> None:
    Walk(tmp_path / "first", config("small"), tmp_path / "registry")
    path = place.models / "small.toml"
    path.write_text(path.read_text().replace('"distance", "sched_dep_min", "temp"', '"distance", "temp"'))

    second = Walk(tmp_path / "second", config("small"), tmp_path / "registry", month="2013-03")

    assert second.evaluation.champion_problem is None
    assert second.evaluation.champion is not None
    assert "sched_dep_min" in read_parquet(Path(second.at["holdout"])).column_names
    fit = json.loads((Path(second.at["challenger"]) / "fit.json").read_text())
    assert [each["name"] for each in fit["features"]] == ["distance", "temp", "origin", "dest", "carrier"]


def test_the_report_says_what_was_decided_and_of_what(place: Place, tmp_path: Path) -> None:
    walk = Walk(tmp_path / "run", config("small"), tmp_path / "registry")
    text = Path(walk.at["page"]).read_text()
    record = open_registry("small", walk.registry).get(1).record

    assert "v001 is the new champion" in text
    for part in (
        "slice gain",
        "origin=EWR",
        "Permutation importance",
        "quarantine",
        record.data_hash,
        record.model_hash,
    ):
        assert part in text, part


def test_the_latest_month_of_no_months_is_said_not_raised_as_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data" / "flights").mkdir(parents=True)
    monkeypatch.setenv("FONDERIE_DATA", str(tmp_path / "data"))

    with pytest.raises(BadDataError, match="no month"):
        steps.extract(load_model("air_time").model_dump_json(), steps.LATEST, "", str(tmp_path / "out"))
