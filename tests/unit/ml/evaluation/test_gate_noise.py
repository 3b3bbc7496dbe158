"""How often the gate is wrong, on invented rows whose days share their weather as the real ones do.

What a day adds to the difference of two models of one recipe gives their gain a standard error of about one per cent
over twelve days; what seed and rows add to the recipe itself is half a per cent.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ml.evaluation.decision import Outcome
from ml.evaluation.evaluate import Subject, score
from ml.evaluation.gate import Expected, decide
from ml.evaluation.scores import Role
from ml.models import ModelConfig, load_model

DAYS, ROWS_A_DAY = 12, 400
SUBJECT = Subject(
    role=Role.CHALLENGER,
    model_hash="new",
    holdout_hash="rows",
    trained_until="2013-04-18",
    holdout_from="2013-04-19",
)
EXPECTED = Expected(holdout_hash="rows", champion_hash="old")


def outcome(config: ModelConfig, seed: int, better: float) -> Outcome:
    """The gate's answer to a challenger whose error is smaller by the share `better`, on rows of its own."""
    rng = np.random.default_rng(seed)
    size = DAYS * ROWS_A_DAY
    day = np.repeat(np.arange(DAYS), ROWS_A_DAY)
    actual = rng.normal(150, 60, size)
    level = 7 * np.exp(rng.normal(0, 0.3, DAYS))[day]
    error = level * rng.laplace(0, 1, size)
    recipe = (1 - better) * (1 + rng.normal(0, 0.005)) * (1 + rng.normal(0, 0.035, DAYS))[day]
    theirs, ours = actual + error, actual + error * recipe + rng.normal(0, 0.5, size)
    names = {"origin": ["EWR", "JFK", "LGA"], "carrier": list("ABCDEFGH"), "hour_band": list("1234")}
    rows = pa.table(
        {"target": actual, "day_number": day, **{name: rng.choice(known, size) for name, known in names.items()}}
    )
    baselines = {"constant": np.full(size, np.median(actual)), str(config.gate.naive_feature): actual + 2 * error}
    champion = SUBJECT.model_copy(update={"role": Role.CHAMPION, "model_hash": "old"})
    challenger = score(config, SUBJECT, rows, ours, champion=theirs, baselines=baselines)
    return decide(challenger, score(config, champion, rows, theirs), config.gate, EXPECTED).outcome


def promoted(cases: int, better: float) -> float:
    config = load_model("air_time")
    return sum(outcome(config, seed, better) is Outcome.PROMOTE for seed in range(cases)) / cases


@pytest.mark.prove(every=0)
@pytest.mark.timeout(900)
def test_the_same_recipe_is_promoted_in_one_of_twenty_at_most() -> None:
    assert promoted(200, 0.0) <= 0.05


@pytest.mark.prove(every=0)
@pytest.mark.timeout(900)
def test_a_challenger_better_by_a_twentieth_is_promoted_in_four_of_five() -> None:
    assert promoted(200, 0.05) >= 0.8
