"""`fonderie models deploy`, whole, over the real clients and the HTTP stand-in of Google."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest

from fonderie.cli import main
from infra import names
from infra.settings import load_environment
from ml.registry.interface import Alias, Aliases
from tests.google.server import Google, running

pytestmark = pytest.mark.e2e
DEV = load_environment("dev")


@pytest.fixture(scope="module")
def server() -> Iterator[Google]:
    with running() as google:
        yield google


@pytest.fixture
def google(server: Google, monkeypatch: pytest.MonkeyPatch) -> Google:
    """dev, deployed, with a champion of air_time and none of late_arrival."""
    server.start_anew()
    monkeypatch.setenv("FONDERIE_GOOGLE_ENDPOINT", server.address)
    aliases = Aliases(current={Alias.CHAMPION: 3}).model_dump_json().encode()
    server.make_bucket(names.bucket(DEV, names.BucketName.MODELS), {"air_time/aliases.json": aliases})
    server.endpoints.endpoints = {
        path: {"name": path, "etag": "e", "deployedModels": [], "trafficSplit": {}}
        for path in (names.endpoint_path(DEV, model) for model in ("air_time", "late_arrival"))
    }
    return server


def deploy(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fonderie", "models", "deploy", "--env", "dev", *words])
    with pytest.raises(SystemExit) as left:
        main.main()
    return int(left.value.code or 0)


def test_every_champion_is_brought_to_its_endpoint_once_as_the_settings_say(
    google: Google, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy(monkeypatch) == 0

    serving = DEV.serving
    machines = f"{serving.min_replicas} to {serving.max_replicas} {serving.machine_type}"
    assert capsys.readouterr().out.splitlines() == [
        f"air_time: version 3 deployed on {machines}",
        "late_arrival: no champion yet",
    ]
    (deployed,) = google.endpoints.endpoints[names.endpoint_path(DEV, "air_time")]["deployedModels"]
    assert deployed["serviceAccount"] == names.email(DEV, names.IdentityName.SERVING)

    assert deploy(monkeypatch, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"air_time": []}
    assert set(google.refused) == {"No such object: acme-ml-dev-models/late_arrival/aliases.json"}


def test_an_endpoint_that_is_not_there_is_said_with_what_to_do(
    google: Google, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    google.endpoints.endpoints.clear()

    assert deploy(monkeypatch, "--model", "air_time") != 0
    assert "are the stacks deployed?" in capsys.readouterr().err
