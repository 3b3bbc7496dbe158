"""The champion is scored on the challenger's rows, or the evaluation says why it could not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from fonderie.core.errors import ConflictError, RefusedError
from ml.datasets.months import Month
from ml.datasets.parquet import content_hash, write_parquet
from ml.evaluation.comparison import compare
from ml.evaluation.decision import Decision, Outcome
from ml.evaluation.gate import Expected, decide
from ml.evaluation.holdout import split
from ml.features.tables import build
from ml.models import ModelConfig, load_model
from ml.registry import Registry, open_registry
from ml.registry.candidates import candidate_of, register_and_promote
from ml.registry.lineage import Lineage, Made, RunOrigin
from ml.training import artefact
from ml.training.fit import fit
from tests.small_model import small_place

MONTH = Month(2013, 2)


class Case:
    """A trained challenger and the rows it is judged on."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        for name, value in small_place(folder, per_day=30).environment.items():
            patch.setenv(name, value)
        self.config: ModelConfig = load_model("small")
        built = build(self.config, [Month(2013, 1), MONTH])
        cut = split(built.table(), MONTH, self.config.data.holdout_fraction)
        self.challenger, self.holdout = folder / "challenger", folder / "holdout"
        write_parquet(cut.holdout, self.holdout)
        self.fit = artefact.save(self.config, fit(self.config, cut.training), cut.training, self.challenger)
        self.lineage = Lineage(
            model="small",
            month=str(MONTH),
            training_months=("2013-01", "2013-02"),
            training_rows=len(cut.training),
            holdout_rows=len(cut.holdout),
            trained_until=cut.trained_until.isoformat(),
            holdout_from=cut.holdout_from.isoformat(),
            data_hash=built.data_hash,
            feature_hash=built.feature_hash,
            config_hash="config",
            training_hash="training",
            holdout_hash=content_hash(self.holdout),
        )

    def made(self, folder: Path, registry: Registry) -> tuple[Made, Decision]:
        """Evaluation and decision of this challenger, as files under `folder`."""
        evaluation, _ = compare(self.config, registry, self.challenger, self.holdout, self.lineage)
        known = registry.get("champion").record.model_hash if registry.aliases().champion else None
        expected = Expected(holdout_hash=self.lineage.holdout_hash, champion_hash=known)
        decision = decide(evaluation.challenger, evaluation.champion, self.config.gate, expected)
        folder.mkdir(exist_ok=True)
        made = Made(self.challenger, *(folder / name for name in ("lineage", "evaluation", "decision")))
        records = (self.lineage, evaluation, decision)
        for path, record in zip((made.lineage, made.evaluation, made.decision), records, strict=True):
            path.write_text(record.model_dump_json())
        return made, decision


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    with pytest.MonkeyPatch.context() as patch:
        return Case(tmp_path_factory.mktemp("case"), patch)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return open_registry("small", str(tmp_path / "registry"))


ORIGIN = RunOrigin("run-1", "commit", "code")


def test_the_first_challenger_is_promoted_and_then_judged_against_itself(
    case: Case, registry: Registry, tmp_path: Path
) -> None:
    made, decision = case.made(tmp_path / "first", registry)
    assert decision.outcome is Outcome.PROMOTE
    candidate, replaced = candidate_of(case.config, ORIGIN, made)
    assert register_and_promote(registry, candidate, made.challenger, replaced) == "v001"

    _, again = case.made(tmp_path / "second", registry)

    assert again.outcome is Outcome.KEEP
    assert {check.name for check in again.checks if check.verdict == "failed"} == {"distinct", "gain"}


def test_registering_and_promoting_again_changes_nothing(case: Case, registry: Registry, tmp_path: Path) -> None:
    made, _ = case.made(tmp_path / "first", registry)
    candidate, replaced = candidate_of(case.config, ORIGIN, made)

    labels = [register_and_promote(registry, candidate, made.challenger, replaced) for _ in range(2)]

    assert labels == ["v001", "v001"]
    assert len(registry.aliases().moves) == 3  # challenger, champion, challenger no more


def test_another_champion_in_between_is_a_conflict(case: Case, registry: Registry, tmp_path: Path) -> None:
    made, _ = case.made(tmp_path / "first", registry)
    candidate, replaced = candidate_of(case.config, ORIGIN, made)
    register_and_promote(registry, candidate, made.challenger, replaced)
    rival = candidate.model_copy(update={"run_id": "run-2"})

    with pytest.raises(ConflictError, match="champion is v001"):
        register_and_promote(registry, rival, made.challenger, replaced)
    assert registry.aliases().champion == 1


def test_a_challenger_the_gate_kept_out_is_no_candidate(case: Case, registry: Registry, tmp_path: Path) -> None:
    made, decision = case.made(tmp_path / "first", registry)
    kept = decision.model_copy(update={"outcome": Outcome.KEEP})
    made.decision.write_text(kept.model_dump_json())

    with pytest.raises(RefusedError, match="did not accept this challenger"):
        candidate_of(case.config, ORIGIN, made)

    another = decision.model_copy(update={"challenger_hash": "0" * 64})
    made.decision.write_text(another.model_dump_json())
    with pytest.raises(RefusedError, match="did not accept this challenger"):
        candidate_of(case.config, ORIGIN, made)


@pytest.mark.parametrize("name", ["model.skops", "serving.json", "serving-trees.npz"])
@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_a_champion_that_cannot_be_scored_is_said(
    case: Case, registry: Registry, tmp_path: Path, name: str, how: str
) -> None:
    made, _ = case.made(tmp_path / "first", registry)
    candidate, replaced = candidate_of(case.config, ORIGIN, made)
    register_and_promote(registry, candidate, made.challenger, replaced)
    path = registry.get(1).folder / name
    path.unlink() if how == "gone" else path.write_bytes(path.read_bytes()[:-10])

    evaluation, sample = compare(case.config, registry, case.challenger, case.holdout, case.lineage)

    assert evaluation.champion is None
    assert name in str(evaluation.champion_problem)
    assert sample["champion"].null_count == len(sample)
