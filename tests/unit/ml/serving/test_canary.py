from __future__ import annotations

from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.serving.canary.canary import Canary, Status, abort, observe, start
from ml.serving.canary.margins import Margins
from ml.serving.canary.observations import Requests
from ml.serving.canary.step import Verdict
from tests.unit.ml.serving.simulation import MARGINS, NOW, Traffic, run

SHAPES = ("constant", "lognormal", "heavy tail", "two modes", "rising", "waves")
WORSE = {
    "fails more": {"errors": 0.02},
    "slower": {"latency_ratio": 1.5},
    "disagrees": {"disagreement": 5.0},
    "further off": {"loss": 1.0},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_an_equal_version_is_hardly_ever_aborted_and_gets_through(shape: str) -> None:
    runs = [run(Traffic(shape), seed) for seed in range(40)]

    assert sum(canary.status is Status.ABORTED for canary in runs) <= 1  # 2 %
    assert sum(canary.status is Status.PROMOTED for canary in runs) >= 36


@pytest.mark.parametrize("way", WORSE)
@pytest.mark.parametrize("shape", SHAPES[1:])
def test_a_version_worse_by_the_margin_is_stopped_before_a_quarter_of_the_traffic(way: str, shape: str) -> None:
    runs = [run(Traffic(shape, **WORSE[way]), seed, most=60_000) for seed in range(20)]

    assert sum(max(step.percent for step in canary.steps) >= 25 for canary in runs) <= 1  # 5 %
    assert all(canary.status is not Status.PROMOTED for canary in runs)
    assert sum(canary.status is Status.ABORTED for canary in runs) >= 19


@pytest.mark.parametrize("way", ["fails more", "slower"])
def test_a_version_that_is_worse_only_under_traffic_is_stopped_too(way: str) -> None:
    traffic = Traffic(only_live=True, **WORSE[way])

    runs = [run(traffic, seed, most=100_000) for seed in range(20)]

    assert sum(max(step.percent for step in canary.steps) >= 25 for canary in runs) <= 1


def test_the_record_tells_every_step_and_why() -> None:
    canary = run(Traffic(loss=0.0), seed=1)

    assert [step.percent for step in canary.steps] == [0, 1, 5, 25]
    assert all(step.verdict is Verdict.PROMOTE and step.ended for step in canary.steps)
    assert all(step.challenger_answers >= MARGINS.min_requests for step in canary.steps)
    assert all("errors" in step.reason and "latency x" in step.reason for step in canary.steps)
    assert "disagreement" in canary.steps[0].reason
    assert canary.percent == 100
    assert msgspec.json.decode(msgspec.json.encode(canary), type=Canary) == canary


def test_an_aborted_canary_names_the_question_and_gives_the_traffic_back() -> None:
    canary = run(Traffic(latency_ratio=2.0), seed=1)

    assert canary.status is Status.ABORTED
    assert canary.percent == 0
    assert "latency: x" in canary.reason
    assert observe(canary, Traffic().batch(np.random.default_rng(0), 0, 10), now=NOW) == canary


def test_a_person_can_abort() -> None:
    canary = start("air_time", "1", "2", MARGINS, now=NOW)

    stopped = abort(canary, "the dashboards look odd", now=NOW)

    assert (stopped.status, stopped.reason, stopped.percent) == (Status.ABORTED, "the dashboards look odd", 0)
    assert abort(stopped, "again", now=NOW) == stopped


def test_few_requests_decide_nothing() -> None:
    canary = start("air_time", "1", "2", MARGINS, now=NOW)
    terrible = Traffic(errors=0.9, latency_ratio=5)

    held = observe(canary, terrible.batch(np.random.default_rng(0), 0, 5), now=NOW)

    assert held.status is Status.RUNNING
    assert held.step.percent == 0
    assert "not proven" in held.step.reason


def test_without_a_comparison_in_the_shadow_nobody_leaves_it() -> None:
    canary = start("air_time", "1", "2", MARGINS, now=NOW)
    rng = np.random.default_rng(0)

    for _ in range(20):
        batch = Traffic().batch(rng, 0, 1000)
        canary = observe(canary, without_comparison(batch), now=NOW)

    assert canary.step.percent == 0
    assert "disagreement: nothing seen" in canary.step.reason


def test_one_comparison_under_traffic_does_not_hold_the_canary_for_ever() -> None:
    rng = np.random.default_rng(0)
    canary = start("air_time", "1", "2", MARGINS, now=NOW)
    while canary.percent == 0:
        canary = observe(canary, Traffic().batch(rng, 0, 1000), now=NOW)

    stray = observe(canary, Traffic().batch(rng, 0, 1), now=NOW)
    for _ in range(100):
        stray = observe(stray, Traffic().batch(rng, stray.percent, 1000), now=NOW)

    assert stray.status is Status.PROMOTED


def without_comparison(batch: Requests) -> Requests:
    return Requests(
        batch.champion_failed, batch.challenger_failed, batch.champion_latency_s, batch.challenger_latency_s
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.lists(st.integers(1, 2999), max_size=5), percent=st.sampled_from([0, 5, 50]))
def test_how_requests_are_cut_into_batches_changes_no_evidence(seed: int, cuts: list[int], percent: float) -> None:
    requests = Traffic(loss=0.2).batch(np.random.default_rng(seed), percent, 3000)
    canary = start("air_time", "1", "2", Margins(0.02, 1.5, 5.0, 1.0, min_requests=10**6), now=NOW)
    canary = observe(canary, first(requests, 0, 400), now=NOW)  # with the champion's median found

    whole = observe(canary, first(requests, 400, 3000), now=NOW)
    parts = canary
    for begin, end in pairwise(sorted({400, 3000, *(cut for cut in cuts if cut > 400)})):
        parts = observe(parts, first(requests, begin, end), now=NOW)

    for one, other in zip(whole.step.tests, parts.step.tests, strict=True):
        assert one.fine.count == other.fine.count
        assert one.fine.log_capital == pytest.approx(other.fine.log_capital, abs=1e-6)
        assert one.worse.peak == pytest.approx(other.worse.peak, abs=1e-6)


def first(requests: Requests, begin: int, end: int) -> Requests:
    return Requests(*(getattr(requests, name)[begin:end] for name in requests.__dataclass_fields__))


@pytest.mark.parametrize(
    "margins", [{"errors": 0.0}, {"latency_ratio": 1.0}, {"disagreement": 0.0}, {"loss": 0.0}, {"errors": 1.0}]
)
def test_margins_nothing_can_be_judged_by_are_refused(margins: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="margin"):
        Margins(**({"errors": 0.02, "latency_ratio": 1.5, "disagreement": 5.0} | margins))
