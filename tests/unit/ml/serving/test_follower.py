"""A canary in a real server: the file, the split, the verdict, the promotion."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from fonderie.core.errors import BadInputError, RefusedError
from ml.registry import Registry, open_registry
from ml.serving.canary.canary import Canary, Status
from ml.serving.canary.follower import CanaryFollower
from ml.serving.canary.margins import Margins
from ml.serving.canary.observations import Answer, RequestOutcome
from ml.serving.canary.store import begin, read_canary, stop
from ml.serving.server.hosting import Role, TrafficSplit
from ml.serving.server.predict import AppState
from ml.serving.server.settings import ServerSettings
from ml.serving.server.version_sources import RegistrySource, load_all
from tests.unit.ml.serving.flights import INSTANCE, fit, make_flights
from tests.unit.ml.serving.running import Running, Ticking, running, until
from tests.unit.ml.serving.simulation import NOW
from tests.unit.ml.serving.versions import add_version

MARGINS = Margins(errors=0.05, latency_ratio=3.0, disagreement=20.0, steps=(25, 100), min_requests=50)
GOOD = {"instances": [INSTANCE]}
ANSWER = Answer(failed=False, latency_s=0.001, predictions=np.array([90.0]))
BOTH = RequestOutcome(Role.CHAMPION, champion=ANSWER, challenger=ANSWER)
ONE, OTHER = RequestOutcome(Role.CHAMPION, champion=ANSWER), RequestOutcome(Role.CHALLENGER, challenger=ANSWER)
MOST_REQUESTS = 100_000  # while a look, 20 times a second, is kept waiting by a busy machine; about 700 are needed


@pytest.fixture(scope="module")
def versions(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of champion 1, challenger 3, and 2 between them; read only."""
    folder = tmp_path_factory.mktemp("versions")
    registry = open_registry("air_time", str(folder / "registry"))
    other = fit(make_flights(seed=4), iterations=55, seed=1)
    for name, made in {"first": pipeline, "second": other, "third": other}.items():
        add_version(registry, made, folder, name)
    return folder / "registry"


@pytest.fixture
def registry(versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))
    shutil.copytree(versions, tmp_path / "registry")
    return open_registry("air_time")


@pytest.fixture
def server(registry: Registry) -> Iterator[Running]:
    with running({"air_time": RegistrySource("air_time")}, clock=Ticking()) as up:
        yield up


def ask_until_decided(up: Running) -> set[int]:
    """Numbered requests while the canary runs; the statuses seen. Evidence decides when it is over, not time."""
    statuses = set()
    for number in range(MOST_REQUESTS):
        if latest().status is not Status.RUNNING:
            return statuses
        statuses.add(up.client.post(GOOD, x_request_id=f"request-{number}").status)
    raise AssertionError(latest().step.reason)


def latest() -> Canary:
    canary = read_canary("air_time")
    assert canary is not None
    return canary


def test_a_good_challenger_is_promoted_step_by_step(server: Running, registry: Registry) -> None:
    begin(registry, 2, MARGINS, now=NOW)

    statuses = ask_until_decided(server)

    assert latest().status is Status.PROMOTED, latest().reason
    until(lambda: server.client.post(GOOD).headers["x-model-version"] == "2" and split(server).challenger is None)
    assert statuses <= {200}
    assert [step.percent for step in latest().steps] == [0, 25]
    assert registry.aliases().champion == 2
    assert registry.aliases().moves[-1].reason.startswith("canary: 25 % went well")


def test_a_challenger_that_answers_something_else_is_aborted_in_the_shadow(server: Running, registry: Registry) -> None:
    begin(registry, 2, replace_margin(disagreement=0.001), now=NOW)

    ask_until_decided(server)

    assert latest().status is Status.ABORTED
    assert "disagreement" in latest().reason
    assert [step.percent for step in latest().steps] == [0]
    assert registry.aliases().champion == 1
    until(lambda: split(server).challenger is None)


def test_a_challenger_that_fails_is_aborted_and_no_client_notices(server: Running, registry: Registry) -> None:
    begin(registry, 2, MARGINS, now=NOW)
    until(lambda: split(server).challenger is not None)
    count = itertools.count()

    def sometimes(matrix: Any) -> Any:
        if next(count) % 3 == 0:
            raise RuntimeError("out of trees")
        return split(server).champion.predict(matrix)

    hosted = split(server)
    assert hosted.challenger is not None
    server.state.hosting.put("air_time", replace(hosted, challenger=replace(hosted.challenger, predict=sometimes)))

    statuses = ask_until_decided(server)

    assert statuses == {200}
    assert latest().status is Status.ABORTED
    assert "errors" in latest().reason


def test_a_comparison_begun_in_the_shadow_is_no_evidence_of_a_later_step(registry: Registry) -> None:
    state, follower = followed(registry)
    shadow = split_of(state)
    show(follower, shadow, [BOTH] * 500)
    look(follower)
    assert [step.percent for step in latest().steps] == [0, 25]

    show(follower, shadow, [BOTH])  # was still being compared while the traffic was split
    show(follower, split_of(state), [ONE, OTHER] * 500)
    look(follower)

    assert latest().steps[1].requests == 1000
    assert latest().status is Status.PROMOTED


def test_a_server_that_is_a_step_behind_tells_nothing_of_the_step_going_on(registry: Registry) -> None:
    state, ahead = followed(registry)
    other_state, behind = followed(registry)
    show(ahead, split_of(state), [BOTH] * 500)
    show(behind, split_of(other_state), [BOTH] * 500)

    look(ahead)
    look(behind)

    assert [step.requests for step in latest().steps] == [500, 0]
    assert split_of(state).percent == split_of(other_state).percent == 25


def test_a_server_that_still_answers_with_the_champion_of_before_tells_nothing(registry: Registry) -> None:
    state, follower = followed(registry)
    state.put_champion(RegistrySource("air_time").load("3"))
    show(follower, split_of(state), [BOTH] * 500)

    look(follower)

    assert [step.requests for step in latest().steps] == [0]


def test_a_rollback_or_a_person_ends_a_canary(server: Running, registry: Registry) -> None:
    begin(registry, 2, MARGINS, now=NOW)
    until(lambda: split(server).challenger is not None)

    stop("air_time", "rolled back", now=NOW)

    until(lambda: split(server).challenger is None)
    assert latest().reason == "rolled back"


def test_a_canary_against_a_champion_that_is_none_any_more_is_aborted(server: Running, registry: Registry) -> None:
    begin(registry, 2, MARGINS, now=NOW)
    until(lambda: split(server).challenger is not None)

    registry.promote(3, 1, reason="by hand", who="test", now=NOW)

    until(lambda: latest().status is Status.ABORTED)
    assert "became champion" in latest().reason
    until(lambda: split(server).champion.version == "3" and split(server).challenger is None)


def test_canaries_that_make_no_sense_are_refused(registry: Registry) -> None:
    with pytest.raises(BadInputError, match="is already the champion"):
        begin(registry, 1, MARGINS, now=NOW)
    with pytest.raises(BadInputError, match="no version"):
        begin(registry, 9, MARGINS, now=NOW)
    assert begin(registry, None, MARGINS, now=NOW).challenger == "3"
    with pytest.raises(RefusedError, match="is already in a canary"):
        begin(registry, 2, MARGINS, now=NOW)


def test_a_model_without_versions_has_no_canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))

    with pytest.raises(BadInputError, match="no champion"):
        begin(open_registry("air_time"), None, MARGINS, now=NOW)
    assert stop("air_time", "nothing to stop", now=NOW) is None


def split(server: Running) -> TrafficSplit:
    return split_of(server.state)


def split_of(state: AppState) -> TrafficSplit:
    hosted = state.hosting.split("air_time")
    assert hosted is not None
    return hosted


def followed(registry: Registry) -> tuple[AppState, CanaryFollower]:
    """A server without its HTTP, in the shadow of a canary of version 2."""
    sources = {"air_time": RegistrySource("air_time")}
    state = AppState(ServerSettings())
    load_all(state, sources)
    follower = CanaryFollower(state, sources)
    if read_canary("air_time") is None:
        begin(registry, 2, MARGINS, now=NOW)
    look(follower)
    return state, follower


def look(follower: CanaryFollower) -> None:
    asyncio.run(follower.look("air_time"))


def show(follower: CanaryFollower, split: TrafficSplit, outcomes: list[RequestOutcome]) -> None:
    for outcome in outcomes:
        follower.observe(split, outcome)


def replace_margin(*, disagreement: float) -> Margins:
    return Margins(MARGINS.errors, MARGINS.latency_ratio, disagreement, None, MARGINS.steps, MARGINS.min_requests)
