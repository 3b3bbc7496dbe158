"""Versions on an endpoint, over the real client library and an HTTP stand-in that checks every request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.oauth2.credentials import Credentials

from fonderie.core.errors import BadInputError, ConflictError, RefusedError
from fonderie.google import Access
from fonderie.google.endpoint_traffic import Deployed, Machines, VertexEndpoint
from fonderie.sandbox.rest.discovery import RejectedError
from ml.registry.interface import Alias, Aliases
from tests.google.server import Google, running

ENDPOINT = "projects/acme/locations/europe-west1/endpoints/1234567890"
SMALL, LARGE = Machines("n1-standard-2", 1, 2), Machines("n1-standard-4", 2, 6)


@pytest.fixture(scope="module")
def server() -> Iterator[Google]:
    with running() as google:
        yield google


@pytest.fixture
def google(server: Google) -> Google:
    server.start_anew()
    server.endpoints.endpoints = {ENDPOINT: {"name": ENDPOINT, "etag": "e", "deployedModels": [], "trafficSplit": {}}}
    return server


@pytest.fixture
def deployment(google: Google) -> VertexEndpoint:
    access = Access("acme", "europe-west1", endpoint=google.address, credentials=Credentials(token="of-the-test"))
    return VertexEndpoint(access, ENDPOINT, "air_time", account="serving@acme.iam.gserviceaccount.com")


def pointing(champion: int, previous: int | None = None, challenger: int | None = None) -> Aliases:
    named = {Alias.CHAMPION: champion, Alias.PREVIOUS_CHAMPION: previous, Alias.CHALLENGER: challenger}
    return Aliases(current={alias: version for alias, version in named.items() if version is not None})


def shares(deployment: VertexEndpoint) -> dict[int, tuple[Machines, int]]:
    return {one.version: (one.machines, one.share) for one in deployment.deployed()}


def test_the_first_champion_gets_the_endpoint_on_the_machines_of_the_settings(
    deployment: VertexEndpoint, google: Google
) -> None:
    done = deployment.bring(pointing(1), SMALL)

    assert done == ["version 1 deployed on 1 to 2 n1-standard-2"]
    assert shares(deployment) == {1: (SMALL, 100)}
    asked = next(call for call in google.calls if call.method.endswith("deployModel")).body["deployedModel"]
    assert asked["model"] == "projects/acme/locations/europe-west1/models/air-time@1"
    assert asked["serviceAccount"] == "serving@acme.iam.gserviceaccount.com"
    assert google.refused == []


def test_when_all_is_as_it_should_be_nothing_is_done(deployment: VertexEndpoint, google: Google) -> None:
    deployment.bring(pointing(1), SMALL)
    google.calls.clear()

    assert deployment.bring(pointing(1), SMALL) == []
    assert {call.method.rpartition(".")[2] for call in google.calls} == {"get"}


def test_a_new_champion_takes_over_and_the_one_before_stays_for_a_rollback(deployment: VertexEndpoint) -> None:
    deployment.bring(pointing(1), SMALL)
    deployment.bring(pointing(2, previous=1), SMALL)
    assert shares(deployment) == {1: (SMALL, 0), 2: (SMALL, 100)}

    done = deployment.bring(pointing(3, previous=2), SMALL)

    assert shares(deployment) == {2: (SMALL, 0), 3: (SMALL, 100)}
    assert done[-1] == "version 1 on 1 to 2 n1-standard-2 undeployed"


def test_other_machines_replace_the_champions_without_a_gap(deployment: VertexEndpoint, google: Google) -> None:
    deployment.bring(pointing(1), SMALL)
    google.calls.clear()

    deployment.bring(pointing(1), LARGE)

    assert deployment.deployed()[0].machines == LARGE
    assert [one.share for one in deployment.deployed()] == [100]
    changes = [call.method.rpartition(".")[2] for call in google.calls if not call.method.endswith("get")]
    assert changes == ["deployModel", "patch", "undeployModel"]
    deploy = next(call for call in google.calls if call.method.endswith("deployModel"))
    assert sorted(deploy.body["trafficSplit"].values()) == [0, 100]


def test_a_canary_keeps_its_share(deployment: VertexEndpoint, google: Google) -> None:
    deployment.bring(pointing(1), SMALL)
    deployment.bring(pointing(2, previous=1), SMALL)
    one, two = (model["id"] for model in google.endpoints.endpoints[ENDPOINT]["deployedModels"])
    google.endpoints.endpoints[ENDPOINT]["trafficSplit"] = {one: 95, two: 5}

    assert deployment.bring(pointing(1, challenger=2), SMALL) == []
    assert shares(deployment) == {1: (SMALL, 95), 2: (SMALL, 5)}


def test_a_challenger_that_became_champion_gets_all_of_it(deployment: VertexEndpoint, google: Google) -> None:
    deployment.bring(pointing(1), SMALL)
    deployment.bring(pointing(2, previous=1), SMALL)
    one, two = (model["id"] for model in google.endpoints.endpoints[ENDPOINT]["deployedModels"])
    google.endpoints.endpoints[ENDPOINT]["trafficSplit"] = {one: 95, two: 5}

    assert deployment.bring(pointing(2, previous=1), SMALL) == ["version 2 answers 100 % of the requests"]


def test_without_a_champion_nothing_is_asked_for(deployment: VertexEndpoint, google: Google) -> None:
    with pytest.raises(BadInputError, match="no champion"):
        deployment.bring(Aliases(), SMALL)
    assert google.calls == []


def test_a_model_of_somebody_else_on_the_endpoint_is_said(deployment: VertexEndpoint, google: Google) -> None:
    google.endpoints.endpoints[ENDPOINT]["deployedModels"] = [{"id": "5", "modelVersionId": "blue"}]
    with pytest.raises(ConflictError, match="unknown model 5 on the endpoint"):
        deployment.bring(pointing(1), SMALL)


def test_a_quota_that_is_used_up_is_said_and_the_champion_of_before_answers_on(
    deployment: VertexEndpoint, google: Google
) -> None:
    deployment.bring(pointing(1), SMALL)
    before: tuple[Deployed, ...] = deployment.deployed()
    google.endpoints.full = RejectedError(429, "RESOURCE_EXHAUSTED", "Quota exceeded for n1 CPUs.")

    with pytest.raises(RefusedError, match="Quota exceeded"):
        deployment.bring(pointing(2, previous=1), SMALL)
    assert deployment.deployed() == before
