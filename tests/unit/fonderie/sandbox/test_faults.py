import threading

import pytest

from fonderie.core.errors import BadInputError
from fonderie.sandbox.cloud.clock import STOPPED, Clock
from fonderie.sandbox.lifecycle.faults import GAPS_S, Faults, FaultSettings, InjectedError, rates_of, seconds_of
from fonderie.sandbox.lifecycle.interface import ApiError
from tests.unit.fonderie.sandbox.google import Google


def faults(google: Google, waits: list[float], **settings: object) -> Faults:
    clock = Clock(scale=1.0, sleep=waits.append)
    return Faults(google.world.cloud, clock, FaultSettings.model_validate(settings), run=1)


@pytest.mark.parametrize("code", [429, 500, 503])
def test_transient_errors_are_retried_with_the_providers_gaps_and_then_surface(fresh: Google, code: int) -> None:
    waits = list[float]()
    with pytest.raises(InjectedError, match=f"Error {code}"):
        faults(fresh, waits, rates={code: 1.0}).call("create x")
    assert waits == list(GAPS_S)
    assert 100 < sum(waits) < 140


@pytest.mark.parametrize("code", [403, 404, 409, 412])
def test_other_errors_surface_at_once(fresh: Google, code: int) -> None:
    waits = list[float]()
    with pytest.raises(InjectedError):
        faults(fresh, waits, rates={code: 1.0}).call("create x")
    assert waits == []


def test_a_conflict_over_a_policy_is_tried_five_times(fresh: Google) -> None:
    waits = list[float]()
    with pytest.raises(InjectedError):
        faults(fresh, waits, rates={409: 1.0}).call("setIamPolicy x", retried={409: (1.0, 2.0, 4.0, 8.0, 16.0)})
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]


def test_the_same_seed_gives_the_same_faults_in_any_order(fresh: Google) -> None:
    def failing(order: list[str], seed: int) -> set[str]:
        found, one = set(), faults(fresh, [], rates={403: 0.3}, seed=seed)
        for request in order:
            try:
                one.call(request)
            except InjectedError:
                found.add(request)
        return found

    requests = [f"create {number}" for number in range(50)]
    assert failing(requests, 7) == failing(requests[::-1], 7)
    assert failing(requests, 7) != failing(requests, 8)
    assert 5 < len(failing(requests, 7)) < 30


def test_a_wait_ends_when_terraform_is_stopped() -> None:
    stopped = threading.Event()
    stopped.set()
    token = STOPPED.set(stopped)
    try:
        with pytest.raises(ApiError, match="context canceled"):
            Clock(scale=1.0).wait(1e6)
    finally:
        STOPPED.reset(token)


def test_latency_is_waited_for_on_every_request(fresh: Google) -> None:
    waits = list[float]()
    faults(fresh, waits, latency_s=0.2).call("read x")
    assert waits == [0.2]


def test_settings_are_kept_in_the_cloud(fresh: Google) -> None:
    settings = FaultSettings(rates={429: 0.05}, latency_s=0.2, seed=7, crash_after=12)
    settings.write(fresh.world.cloud)
    assert FaultSettings.read(fresh.later().world.cloud) == settings
    FaultSettings().write(fresh.world.cloud)
    assert fresh.world.cloud.note("faults") is None


def test_what_is_written_wrongly_is_refused() -> None:
    assert rates_of(["429=0.05", "503=.9"]) == {429: 0.05, 503: 0.9}
    assert (seconds_of("200ms"), seconds_of("1.5s"), seconds_of("2")) == (0.2, 1.5, 2.0)
    for wrong in (["429"], ["429=2"], ["999=0.1"], ["x=0.1"], ["429=0.7", "503=0.7"]):
        with pytest.raises(BadInputError):
            rates_of(wrong)
    with pytest.raises(BadInputError):
        seconds_of("soon")


def test_an_operation_that_fails_leaves_nothing_but_a_cluster_tainted(fresh: Google) -> None:
    fresh.enable("pubsub", "container")
    fresh.world.faults.settings = FaultSettings(operations=1.0)
    with pytest.raises(ApiError, match="waiting to create"):
        fresh.make("google_pubsub_topic", name="t")
    assert fresh.world.cloud.things("google_pubsub_topic") == []
    planned = fresh.planned("google_container_cluster", name="c", location="us-central1")
    done = fresh.life.create("google_container_cluster", planned, fresh.provider)
    assert done.diagnostics
    assert done.state is not None
    assert done.state["name"] == "c"


def test_an_error_that_surfaces_leaves_nothing(fresh: Google) -> None:
    fresh.enable("pubsub")
    fresh.world.faults.settings = FaultSettings(rates={403: 1.0})
    with pytest.raises(ApiError, match="Error creating Topic: googleapi: Error 403"):
        fresh.make("google_pubsub_topic", name="t")
    assert fresh.world.cloud.things("google_pubsub_topic") == []
