"""What the monitor remembers, on this machine and in a bucket, over the real client and an HTTP stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from fonderie.core.errors import BadDataError, BadInputError, RefusedError
from fonderie.sandbox.rest.discovery import RejectedError
from infra import names
from infra.settings import load_environment
from ml.models import load_model
from ml.monitoring.history import History
from ml.monitoring.trigger import Action, TrainingEvent, TrainingOutcome, TriggerDecision
from ml.monitoring.verdict import MonthVerdict
from pipelines.monitoring import steps
from tests.google.server import Google, running

BUCKET = "acme-ml-dev-pipeline-root"
LOCATION = names.monitoring_history(load_environment("dev"))


@pytest.fixture(scope="module")
def server() -> Iterator[Google]:
    with running() as google:
        yield google


@pytest.fixture
def google(server: Google, monkeypatch: pytest.MonkeyPatch) -> Google:
    server.start_anew()
    server.make_bucket(BUCKET)
    monkeypatch.setenv("FONDERIE_GOOGLE_ENDPOINT", server.address)
    return server


@pytest.fixture(params=["disk", "bucket"])
def location(request: pytest.FixtureRequest, tmp_path: Path, google: Google) -> str:
    return LOCATION if request.param == "bucket" else str(tmp_path)


def verdict(month: str, rows: int = 10, version: int = 1) -> MonthVerdict:
    return MonthVerdict(model="air_time", month=month, version=version, rows=rows, labelled_rows=rows)


def started(month: str) -> TrainingEvent:
    return TrainingEvent(month=month, day=date(2013, 5, 1), outcome=TrainingOutcome.STARTED)


def test_what_one_run_remembers_the_next_one_knows(location: str) -> None:
    """Each run is a process of its own, on a disk of its own."""
    first = History.of("air_time", location)
    assert (first.verdicts(), first.trainings(), first.decisions()) == ([], [], [])
    decision = TriggerDecision(action=Action.WAIT, month="2013-05", day=date(2013, 6, 1), reasons=("quiet",))
    first.record_verdict(verdict("2013-05"))
    first.record_verdict(verdict("2013-04"))
    first.record_verdict(verdict("2013-04", rows=20))
    first.record_training(started("2013-04"))
    first.record_decision(decision)
    first.record_decision(decision)

    second = History.of("air_time", location)
    assert second.verdicts() == [verdict("2013-04", rows=20), verdict("2013-05")]
    assert second.trainings() == [started("2013-04")]
    assert second.decisions() == [decision]
    assert History.of("late_arrival", location).verdicts() == []


def test_a_damaged_record_is_named(location: str, google: Google) -> None:
    place = History.of("air_time", location).record_verdict(verdict("2013-04"))
    if place.startswith("gs://"):
        google.buckets.write(BUCKET, place.removeprefix(f"gs://{BUCKET}/"), b"{")
    else:
        Path(place).write_text("{")
    with pytest.raises(BadDataError) as caught:
        History.of("air_time", location).verdicts()
    assert place in str(caught.value)


def test_a_failed_retraining_is_told_to_the_history(location: str) -> None:
    History.of("air_time", location).record_training(started("2013-04"))
    steps.settle(load_model("air_time").model_dump_json(), "2013-04", location, "FAILED")
    (event,) = History.of("air_time", location).trainings()
    assert event.outcome is TrainingOutcome.FAILED


def test_a_bucket_that_may_not_be_read_is_a_refusal_and_not_an_empty_history(google: Google) -> None:
    denied = RejectedError(403, "forbidden", "storage.objects.list denied")
    google.failures += [denied, denied]  # the client has a look at the bucket first, and goes on without
    with pytest.raises(RefusedError, match="storage"):
        History.of("air_time", LOCATION).verdicts()


def test_every_request_is_one_that_google_takes(google: Google) -> None:
    History.of("air_time", LOCATION).record_verdict(verdict("2013-04"))
    History.of("air_time", LOCATION).verdicts()
    assert google.refused == []
    assert google.buckets.objects(BUCKET) == ["monitoring/air_time/verdicts/2013-04-v001.json"]


def test_a_loop_of_this_machine_does_not_hold_a_bucket(google: Google) -> None:
    with pytest.raises(BadInputError, match="keeps its history here"), History.of("air_time", LOCATION).alone():
        pass


@pytest.mark.parametrize("location", ["gs://", "gs:///x", "s3://bucket/x"])
def test_what_is_no_place_for_a_history_is_refused(location: str, google: Google) -> None:
    with pytest.raises(BadInputError, match="history"):
        History.of("", location)
