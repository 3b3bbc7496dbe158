"""docs/getting-started.md, typed into a fresh clone in the sandbox: each block as the identity that its fence names."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from fonderie.sandbox.cloud.cloud import Cloud
from infra.settings import load_environment
from tests.road.machine import FOREIGN, ROOT, Machine, listed_files

pytestmark = pytest.mark.e2e
PAGE = ROOT / "docs" / "getting-started.md"


def typed() -> list[tuple[str, str]]:
    """(identity, text) of every block that is marked `sh run as=IDENTITY`, in order."""
    tokens = MarkdownIt().parse(PAGE.read_text(encoding="utf-8"))
    marked = [(token.info.split(), token.content) for token in tokens if token.type == "fence"]
    return [(words[2].removeprefix("as="), text) for words, text in marked if words[:2] == ["sh", "run"]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A clone that is set up, with what else a person's machine has."""
    machine = Machine(tmp_path / "machine")
    for name in listed_files():
        file = machine.workspace / name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, file)
    machine.provide_packages()
    git = ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "start"]):
        subprocess.run([*git, *words], cwd=machine.workspace, check=True)
    for tool in FOREIGN:
        machine.put(machine.folder / "bin", tool)
    return machine


def environment(machine: Machine) -> dict[str, str]:
    """That of a person's shell: nothing of this process's own settings."""
    here = machine.workspace
    ours = ("FONDERIE_", "GOOGLE_", "TF_", "CDKTF_", "PYTEST_")
    path = [machine.folder / "bin", here / ".venv" / "bin", here / "node_modules" / ".bin"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    tokens = {"CONNECTION_TOKEN": "ghs_connection", "BUILDS_TOKEN": "ghs_builds"}
    who = {
        f"GIT_{role}_{key}": word
        for role in ("AUTHOR", "COMMITTER")
        for key, word in (("NAME", "ada"), ("EMAIL", "a@b.c"))
    }
    return {**kept, **tokens, **who, "PATH": ":".join([*map(str, path), os.environ["PATH"]]), "OMP_NUM_THREADS": "1"}


def type_in(machine: Machine, who: str, text: str) -> str:
    """What a block says. It ends at its first command that fails. Foreign tools come before those of the sandbox."""
    text = f"export PATH={machine.folder / 'bin'}:$PATH\n{text}"
    command = [
        "fonderie",
        "sandbox",
        "run",
        "--as",
        who,
        "--remote-state",
        "--",
        "bash",
        "-euo",
        "pipefail",
        "-c",
        text,
    ]
    done = subprocess.run(
        command,
        cwd=machine.workspace,
        env=environment(machine),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"as {who}:\n{text}\n{done.stdout[-4000:]}"
    return done.stdout


def manifests_of_the_cluster(machine: Machine) -> str:
    """What Config Sync has been told to pull by now."""
    (file,) = (machine.workspace / ".fonderie").rglob("google.sqlite")
    with Cloud(file) as cloud:
        members = cloud.things("google_gke_hub_feature_membership")
    oci = [each for member in members for each in member.attributes["configmanagement"][0]["config_sync"][0]["oci"]]
    return str(oci[0]["sync_repo"]) if oci else ""


def test_the_page_s_first_settings_are_taken(machine: Machine) -> None:
    """The first block; the others cost a deployment each."""
    said = type_in(machine, *typed()[0])
    assert "schedules are paused until [images] names pipelines and serving" in " ".join(said.split())


@pytest.mark.prove(every=0)
def test_the_page_runs_to_its_last_line(machine: Machine) -> None:
    with pytest.raises(AssertionError, match=r"[Pp]ermission|denied"):  # an engineer bootstraps nothing
        type_in(machine, "engineer", typed()[1][1])
    said, synced = list[str](), list[str]()
    for who, text in typed():
        said.append(type_in(machine, who, text))
        synced.append(manifests_of_the_cluster(machine))
    whole = "".join(said)
    assert [who for who, _ in typed()] == [*["person"] * 8, "engineer", "plan", "person"]
    assert "832,597 rows" in whole
    assert said[6] == ""  # the working copy has what was deployed, and nothing else
    assert "training-air-time-2013-04" in said[8]
    assert "paused" not in said[8]  # there are images: the schedules run
    assert said[9].count(": unchanged") == 5
    assert "recreated dev" in said[10]
    assert not synced[4]  # the cluster is there and runs nothing
    assert synced[5] == load_environment("dev", machine.workspace / "infra" / "environments").kubeflow.manifests
    settings = (machine.workspace / "infra" / "environments" / "dev.toml").read_text()
    assert settings.count("@sha256:") == 3
