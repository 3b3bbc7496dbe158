"""`fonderie models at`: which version answered at a moment, and what it was made from."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from fonderie.cli.commands.models import app
from fonderie.core.errors import BadInputError
from ml.registry.local import LocalRegistry
from tests.contract.registry.candidates import NOW, make_candidate


def test_the_champion_of_a_moment_leads_to_its_run_commit_and_data(tmp_path: Path) -> None:
    registry = LocalRegistry(tmp_path / "registry", "air_time")
    registry.register(make_candidate(tmp_path / "one", "one"), tmp_path / "one", who="test", now=NOW)
    registry.promote(1, None, reason="better", who="test", now=NOW)
    asked = ["--registry", str(tmp_path / "registry"), "--json"]

    said = json.loads(CliRunner().invoke(app, ["at", "air_time", "2013-05-01T12:30", *asked]).stdout)
    before = CliRunner().invoke(app, ["at", "air_time", "2013-05-01T11:59", *asked])

    assert (said["version"], said["run"], said["commit"], said["data"]) == ("v001", "run-one", "0" * 40, "data")
    assert isinstance(before.exception, BadInputError)
    assert "had no champion at 2013-05-01T11:59 UTC" in str(before.exception)
