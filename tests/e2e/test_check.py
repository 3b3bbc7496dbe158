"""`fonderie check` on a copy of the repository, whole and then broken."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in ("fonderie", "infra", "ml", "pipelines", "ci"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def check(copy: Path) -> tuple[int, dict[str, str]]:
    """(exit code, what is wrong by what was checked)."""
    done = subprocess.run(
        [sys.executable, "-m", "fonderie.cli.main", "check", "--json"],
        cwd=copy,
        env=os.environ | {"PYTHONPATH": str(copy), "FONDERIE_HOME": str(copy / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, {one["what"]: one["problem"] for one in json.loads(done.stdout) if one["problem"]}


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.e2e
def test_every_problem_is_named_at_once_and_nothing_else(copy: Path) -> None:
    assert check(copy) == (0, {})

    replace(copy / "infra/environments/dev.toml", 'time_zone = "Europe/Paris"', 'time_zone = "Europe/Pari"')
    replace(copy / "ml/models/late_arrival.toml", "[gate]", "[gates]")
    replace(copy / "pipelines/training/pipeline.py", "        commit: str =", "        sha: str =")
    replace(copy / "pipelines/training/pipeline.py", "commit=commit,", "commit=sha,")
    code, problems = check(copy)

    assert code == 3
    assert "Europe/Pari" in problems.pop("environment dev")
    assert "gates" in problems.pop("model late_arrival")
    assert set(problems) == {f"pipeline training of air_time in {env}" for env in ("local", "staging", "prod")}
    assert all("the pipeline has no commit" in problem for problem in problems.values())


@pytest.mark.e2e
def test_a_parameter_that_a_schedule_or_a_batch_can_not_give_is_named(copy: Path) -> None:
    run_id = '        run_id: str = "",'
    replace(copy / "pipelines/monitoring/pipeline.py", run_id, f"        window: str,\n{run_id}")
    replace(copy / "pipelines/batch/pipeline.py", '        version: str = "",', '        which: str = "",')
    replace(copy / "pipelines/batch/pipeline.py", "version=version,", "version=which,")

    code, problems = check(copy)

    assert code == 3
    assert {what.split(" of ")[0] for what in problems} == {"pipeline monitoring", "pipeline batch"}
    assert len(problems) == 2 * 2 * 4  # pipelines, models, environments
    monitoring = problems["pipeline monitoring of air_time in dev"]
    assert "the pipeline needs window, which a schedule can't provide" in monitoring
    assert "the pipeline has no version" in problems["pipeline batch of air_time in prod"]
