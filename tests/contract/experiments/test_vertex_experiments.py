"""Experiments in Vertex AI: written through the real client, read back by Google's own library."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials

from ci.remote.engines import open_experiments
from fonderie.core.errors import BadInputError, ConflictError, ExitCode, RefusedError
from fonderie.google import Access
from fonderie.sandbox.rest.discovery import RejectedError
from infra import names
from infra.settings import load_environment
from pipelines.experiments.vertex import ExperimentRun, VertexExperiments
from tests.google.server import Google, running

FONDERIE = Path(sys.executable).with_name("fonderie")
RUNS = [
    ExperimentRun("aaaa", {"max_iter": 100, "learning_rate": 0.1}, {"mae": 7.5, "rmse": 11.25, "rows": 8000.0}),
    ExperimentRun("bbbb", {"max_iter": 200, "learning_rate": 0.1}, {"mae": 7.25, "rmse": None, "rows": math.nan}),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Google]:
    with running() as google:
        yield google


@pytest.fixture
def google(server: Google) -> Google:
    server.start_anew()
    return server


@pytest.fixture
def experiments(google: Google) -> VertexExperiments:
    return VertexExperiments(Access("acme", "europe-west1", endpoint=google.address), {"env": "dev"})


def test_googles_own_library_reads_what_was_recorded(experiments: VertexExperiments, google: Google) -> None:
    assert experiments.record("air-time-2013-06", RUNS, "Minutes in the air 2013-06") == ["aaaa", "bbbb"]

    from google.cloud import aiplatform

    aiplatform.init(
        project="acme",
        location="europe-west1",
        credentials=AnonymousCredentials(),
        api_transport="rest",
        api_endpoint=google.address,
    )
    rows = aiplatform.get_experiment_df("air-time-2013-06").set_index("run_name")

    assert dict(rows["param.max_iter"]) == {"aaaa": 100, "bbbb": 200}
    assert dict(rows["metric.mae"]) == {"aaaa": 7.5, "bbbb": 7.25}
    assert set(rows["state"]) == {"COMPLETE"}
    assert math.isnan(rows["metric.rmse"]["bbbb"])
    looked_for = [said for said in google.refused if "tb-run is not found" not in said]  # it asks for a TensorBoard
    assert looked_for == ["MetadataStore projects/acme/locations/europe-west1/metadataStores/default is not found."]


def test_a_store_that_is_made_here_is_encrypted_with_the_environments_key(
    google: Google, monkeypatch: pytest.MonkeyPatch
) -> None:
    prod = load_environment("prod")
    monkeypatch.setattr(
        "ci.remote.engines.access", lambda env: Access(env.project_id, env.region, endpoint=google.address)
    )
    open_experiments(prod).record("air-time-2013-06", RUNS, "")
    (made,) = (call for call in google.calls if call.method.endswith("metadataStores.create"))
    assert made.body["encryptionSpec"] == {"kmsKeyName": names.key_path(prod, names.KeyName.DATA)}


def test_the_same_runs_are_recorded_once(experiments: VertexExperiments, google: Google) -> None:
    experiments.record("air-time-2013-06", RUNS[:1], "")
    before = json.dumps(google.metadata.contexts, sort_keys=True)

    assert experiments.record("air-time-2013-06", RUNS[:1], "") == []
    assert json.dumps(google.metadata.contexts, sort_keys=True) == before
    assert experiments.record("air-time-2013-06", RUNS, "") == ["bbbb"]


def test_a_recording_that_was_cut_off_is_completed(experiments: VertexExperiments, google: Google) -> None:
    experiments.record("air-time-2013-06", RUNS, "")
    for context in google.metadata.contexts.values():
        context.pop("parentContexts", None)

    experiments.record("air-time-2013-06", RUNS, "")

    below = [name for name, context in google.metadata.contexts.items() if context.get("parentContexts")]
    assert [name.rpartition("/")[2] for name in below] == ["air-time-2013-06-aaaa", "air-time-2013-06-bbbb"]


def test_a_context_of_another_kind_is_not_taken_over(experiments: VertexExperiments) -> None:
    experiments.record("air-time", RUNS[:1], "")
    with pytest.raises(ConflictError, match="already exists as system"):
        experiments.record("air-time-aaaa", RUNS, "")


@pytest.mark.parametrize("name", ["Air-time", "air_time", "", "x" * 129, "x" * 124])
def test_a_name_that_vertex_ai_does_not_take_is_refused_before_anything_is_made(
    experiments: VertexExperiments, google: Google, name: str
) -> None:
    with pytest.raises(BadInputError, match="invalid experiment name"):
        experiments.record(name, RUNS, "")
    assert google.calls == []


def test_a_refusal_of_google_is_said_in_words(experiments: VertexExperiments, google: Google) -> None:
    google.failures.append(RejectedError(403, "PERMISSION_DENIED", "aiplatform.metadataStores.get denied"))
    with pytest.raises(RefusedError, match="get denied"):
        experiments.record("air-time-2013-06", RUNS, "")


def test_the_command_records_them_and_loses_nothing_when_it_cannot(google: Google, tmp_path: Path) -> None:
    command = [FONDERIE, "experiment", "air_time", "--month", "2013-01", "--set", "max_iter=5,10", "--env", "dev"]
    seen = os.environ | {
        "FONDERIE_GOOGLE_ENDPOINT": google.address,
        "FONDERIE_HOME": str(tmp_path),
        "OMP_NUM_THREADS": "1",
    }
    google.failures.append(RejectedError(403, "PERMISSION_DENIED", "not for you"))

    refused = subprocess.run(command, capture_output=True, text=True, check=False, env=seen, timeout=120)
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False, env=seen, timeout=120)

    assert refused.returncode == ExitCode.REFUSED
    assert "max_iter" in refused.stdout  # the table of what was tried
    assert "not for you" in refused.stderr
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["recorded"] == {"experiment": "air-time-2013-01", "new": 2}
