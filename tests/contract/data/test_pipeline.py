"""A pipeline that is told `bigquery://...` reads there; the command line lists, loads and estimates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fonderie.core.errors import ExitCode
from fonderie.google.bigquery.origin import BigQueryOrigin
from ml.models import load_model
from ml.registry.lineage import Contracts, Lineage
from pipelines.training import steps
from tests.google.server import Google

ADDRESS = "bigquery://proj-x/europe-west1/dev_flights"
FONDERIE = Path(sys.executable).with_name("fonderie")


def test_the_steps_of_training_make_the_same_rows_from_bigquery(
    loaded: BigQueryOrigin, invented: Path, google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FONDERIE_GOOGLE_ENDPOINT", google.address)

    here = features_of(str(invented), "latest", tmp_path / "here")
    there = features_of(ADDRESS, "latest", tmp_path / "there")

    assert (here.month, here.training_months) == (there.month, there.training_months)
    assert (here.training_hash, here.holdout_hash) == (there.training_hash, there.holdout_hash)
    assert here.data_hash != there.data_hash  # of files here, of rows there
    said = Contracts.model_validate_json((tmp_path / "there" / "contracts.json").read_text()).partitions
    assert {(each.dataset, each.partition) for each in said} >= {("flights", "2013-04"), ("planes", "all")}
    assert google.refused == []


def features_of(data: str, month: str, folder: Path) -> Lineage:
    """The first three tasks of the training pipeline."""
    config = load_model("air_time").model_dump_json()
    at = {name: str(folder / f"{name}.json") for name in ("partitions", "contracts", "lineage")}
    steps.extract(config, month, data, at["partitions"])
    steps.validate(config, at["partitions"], at["contracts"])
    rows = [str(folder / f"{name}.parquet") for name in ("training", "holdout")]
    steps.features(config, at["partitions"], *rows, at["lineage"])
    return Lineage.model_validate_json(Path(at["lineage"]).read_text())


def test_months_are_loaded_listed_and_estimated_from_the_command_line(google: Google, invented: Path) -> None:
    first = fonderie(google, invented, "data", "load", "--env", "dev", "--json")
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["months"] == ["2013-01", "2013-02", "2013-03", "2013-04"]
    assert fonderie(google, invented, "data", "months", "--env", "dev").stdout == "2013-01 to 2013-04\n"
    again = fonderie(google, invented, "data", "load", "--env", "dev")
    assert "every month is loaded" in again.stdout

    asked = ("data", "estimate", "--model", "air_time", "--month", "2013-04", "--env", "dev", "--json")
    estimated = json.loads(fonderie(google, invented, *asked).stdout)

    assert estimated["limit_bytes"] == 20_000_000_000
    assert set(estimated["bytes"]) == {"contract of flights", "contract of weather", "contract of planes", "features"}
    assert all(0 < count < 10_000_000 for count in estimated["bytes"].values())


def test_a_month_that_is_not_there_is_bad_data(google: Google, invented: Path) -> None:
    done = fonderie(google, invented, "data", "load", "--env", "dev", "--month", "2014-01")

    assert done.returncode == ExitCode.BAD_DATA
    assert "no flights for 2014-01" in done.stderr
    assert "there are 2013-01 to 2013-04" in done.stderr


def fonderie(google: Google, data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    seen = os.environ | {"FONDERIE_GOOGLE_ENDPOINT": google.address, "FONDERIE_DATA": str(data)}
    return subprocess.run([FONDERIE, *words], capture_output=True, text=True, check=False, env=seen, timeout=60)
