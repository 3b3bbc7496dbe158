"""The product's own stacks, all environments, under the product's own policy."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ci.synth import synthesise
from infra.settings import environment_names, load_environment

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def outdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth")
    synthesise([load_environment(name) for name in environment_names()], folder)
    return folder


def policy(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "fonderie", "policy", *arguments]
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.e2e
def test_every_environment_passes_and_every_waiver_is_needed(outdir: Path, tmp_path: Path) -> None:
    report = tmp_path / "policy.sarif"

    done = policy("--out", outdir, "--json", "--sarif", report)

    verdict = json.loads(done.stdout)
    assert verdict["failed"] == []
    assert verdict["problems"] == []
    assert done.returncode == 0
    assert set(verdict["checked"]) == {folder.name for folder in (outdir / "stacks").iterdir()}
    assert all(count > 0 for count in verdict["checked"].values())
    assert len(json.loads(report.read_text())["runs"][0]["results"]) == len(verdict["waived"])


@pytest.mark.e2e
def test_a_bucket_opened_to_everybody_is_refused_with_its_place(outdir: Path, tmp_path: Path) -> None:
    opened = tmp_path / "out"
    shutil.copytree(outdir / "stacks" / "prod-data", opened / "stacks" / "prod-data")
    file = opened / "stacks" / "prod-data" / "cdk.tf.json"
    document = json.loads(file.read_text())
    grants = document["resource"]["google_storage_bucket_iam_member"]
    name = sorted(grants)[0]
    grants[name]["member"] = "allUsers"
    file.write_text(json.dumps(document, indent=2))

    done = policy("--env", "prod", "--out", opened)

    assert done.returncode == 7
    assert "FND_PUBLIC" in done.stdout
    assert f"google_storage_bucket_iam_member.{name}" in done.stdout
