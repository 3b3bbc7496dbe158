"""The split of an endpoint, over the real client library and an HTTP stand-in that checks every request."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from google.oauth2.credentials import Credentials

from fonderie.core.errors import BadInputError, ConflictError, FonderieError
from fonderie.google import Access
from fonderie.google.endpoint_traffic import VertexEndpoint
from fonderie.sandbox.rest.discovery import RejectedError
from ml.serving.canary.canary import Status, abort, start
from tests.google.server import Google, running
from tests.unit.ml.serving.simulation import MARGINS, NOW, Traffic, run

ENDPOINT = "projects/acme/locations/europe-west1/endpoints/1234567890"


@pytest.fixture(scope="module")
def server() -> Iterator[Google]:
    with running() as google:
        yield google


@pytest.fixture
def google(server: Google) -> Google:
    deployed = [{"id": "77", "modelVersionId": "1"}, {"id": "88", "modelVersionId": "2"}]
    server.endpoints.endpoints = {
        ENDPOINT: {"name": ENDPOINT, "etag": "e", "deployedModels": deployed, "trafficSplit": {"77": 100}}
    }
    server.calls.clear()
    server.refused.clear()
    return server


@pytest.fixture
def endpoint(google: Google) -> VertexEndpoint:
    access = Access("acme", "europe-west1", endpoint=google.address, credentials=Credentials(token="of-the-test"))
    return VertexEndpoint(access, ENDPOINT, "air_time", account="serving@acme.iam.gserviceaccount.com")


def test_shares_are_set_by_version_and_nothing_else_of_the_endpoint(endpoint: VertexEndpoint, google: Google) -> None:
    assert endpoint.split() == {"1": 100, "2": 0}

    assert endpoint.set({"1": 95, "2": 5}) == {"1": 95, "2": 5}

    patch = next(call for call in google.calls if call.method.endswith("patch"))
    assert patch.query["updateMask"] == "trafficSplit"
    assert patch.body["trafficSplit"] == {"77": 95, "88": 5}
    assert google.refused == []


def test_the_split_follows_a_canary(endpoint: VertexEndpoint) -> None:
    canary = start("air_time", "1", "2", MARGINS, now=NOW)
    assert endpoint.follow(canary) == {"1": 100, "2": 0}

    promoted = run(Traffic(), seed=1)
    assert promoted.status is Status.PROMOTED
    assert endpoint.follow(msgspec.structs.replace(promoted, status=Status.RUNNING)) == {"1": 75, "2": 25}
    assert endpoint.follow(promoted) == {"1": 0, "2": 100}
    assert endpoint.follow(abort(canary, "by hand", now=NOW)) == {"1": 100, "2": 0}


@pytest.mark.parametrize(
    ("shares", "said"), [({"1": 95}, "add up to 100, not 95"), ({"1": 95, "9": 5}, "9 is not deployed")]
)
def test_shares_that_cannot_be_are_refused_before_anything_is_asked_for(
    endpoint: VertexEndpoint, google: Google, shares: dict[str, int], said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        endpoint.set(shares)

    assert not [call for call in google.calls if call.method.endswith("patch")]


def test_an_endpoint_changed_in_between_is_a_conflict_and_one_that_is_not_there_is_said(
    endpoint: VertexEndpoint, google: Google
) -> None:
    google.failures.append(RejectedError(404, "NOT_FOUND", f"Endpoint `{ENDPOINT}` is not found."))
    with pytest.raises(FonderieError, match="not found"):
        endpoint.split()

    endpoint.split()
    stale = endpoint._get()
    google.endpoints.endpoints[ENDPOINT]["etag"] = "changed"
    endpoint._get = lambda: stale  # type: ignore[method-assign]  # what was read before somebody changed it
    with pytest.raises(ConflictError):
        endpoint.set({"2": 100})
