from __future__ import annotations

import numpy as np
import pytest

from ml.serving.canary.evidence import Bet, Side
from ml.serving.canary.observations import OpenBlock, differences

NAN = np.nan


@pytest.mark.parametrize("side", Side)
def test_a_true_hypothesis_is_rejected_as_seldom_as_promised(side: Side) -> None:
    rng = np.random.default_rng(7)

    rejected = 0
    for _ in range(300):
        values = rng.choice([-1.0, 0.0, 1.0], 1500, p=[0.1, 0.75, 0.15])  # mean 0.05: the hypothesis' very edge
        rejected += Bet(side, 0.05, -1, 1).observe(values).proven(0.05)

    assert rejected <= 0.05 * 300


@pytest.mark.parametrize(("side", "mean"), [(Side.ABOVE, 0.15), (Side.BELOW, -0.05)])
def test_a_false_hypothesis_is_rejected_in_time(side: Side, mean: float) -> None:
    rng = np.random.default_rng(7)

    proven = [Bet(side, 0.05, -1, 1).observe(rng.normal(mean, 0.2, 2000).clip(-1, 1)).proven(0.01) for _ in range(50)]

    assert all(proven)


def test_what_was_once_proven_stays_proven() -> None:
    bet = Bet(Side.ABOVE, 0.0, -1, 1).observe(np.full(200, 0.5))

    assert bet.proven(0.01)
    assert bet.observe(np.full(500, -0.5)).proven(0.01)


def test_values_out_of_bounds_are_refused() -> None:
    with pytest.raises(ValueError, match="lie in"):
        Bet(Side.ABOVE, 0.0, -1, 1).observe(np.array([1.5]))


def test_answers_side_by_side_are_compared_directly() -> None:
    values, block = differences(np.array([1.0, NAN, 3.0]), np.array([2.0, NAN, 2.0]), OpenBlock())

    assert values.tolist() == [1.0, -1.0]
    assert block == OpenBlock()


def test_answers_apart_are_compared_with_those_beside_them_in_time() -> None:
    champion = np.array([1.0, 3.0, NAN, 5.0, NAN, NAN, 2.0, 4.0])
    challenger = np.array([NAN, NAN, 7.0, NAN, 4.0, 6.0, NAN, NAN])

    values, block = differences(champion, challenger, OpenBlock())

    assert values.tolist() == [7 - 2, 4 - 5, 6 - 2]
    assert block == OpenBlock(challenger=False, count=1, total=4.0)


def test_an_open_block_goes_on_in_the_next_batch() -> None:
    _, block = differences(np.array([1.0, 3.0]), np.array([NAN, NAN]), OpenBlock())

    values, block = differences(np.array([5.0, NAN]), np.array([NAN, 10.0]), block)

    assert values.tolist() == [10 - 3]
    assert block == OpenBlock()
