"""Step 4 of the demo, whole: a server process, two canaries, a rollback."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.pipeline import Pipeline

from fonderie.core.errors import StepFailedError
from fonderie.core.page import page
from fonderie.demo.rehearsal import demonstrate
from fonderie.demo.server_process import server_process
from fonderie.demo.serving import serving_sections
from ml.models import load_model
from ml.registry import open_registry
from ml.serving.canary.canary import Status
from tests.unit.ml.serving.flights import fit, make_flights, register
from tests.unit.ml.serving.versions import add_version


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return fit(make_flights())


@pytest.mark.e2e
def test_the_demonstration_serves_promotes_aborts_and_rolls_back(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))
    registry = open_registry("air_time")
    add_version(registry, pipeline, tmp_path / "scratch", "first")
    said: list[str] = []

    demo = demonstrate(load_model("air_time"), registry, tmp_path / "registry", seconds=0.5, say=said.append)

    assert demo.failed == 0
    assert demo.single.requests > 100
    assert [step.percent for step in demo.good.steps] == [0, 5, 25]
    assert demo.good.status is Status.PROMOTED
    assert demo.bad.status is Status.ABORTED
    assert "disagreement" in demo.bad.reason
    assert (demo.rollback.before, demo.rollback.after) == (2, 1)
    assert registry.aliases().champion == 1
    assert len(said) == 5
    html = page("Serving", serving_sections(demo))
    assert html.count("<svg") >= 4
    assert "proven worse" in html


def test_a_server_that_does_not_start_says_why(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    register(tmp_path / "v", pipeline)
    (tmp_path / "v/serving-trees.npz").write_bytes(b"")

    with pytest.raises(StepFailedError) as failed, server_process(AIP_STORAGE_URI=str(tmp_path / "v")):
        pass

    assert "truncated or changed" in (failed.value.hint or "")
