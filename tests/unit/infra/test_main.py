"""`python -m ci.synth`: what it writes, that it writes the same everywhere, and that a mistake writes nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

import ci.synth
from fonderie.core.errors import BadInputError, ExitCode, StepFailedError
from infra.bindings import ROOT
from infra.main import chosen_backend, chosen_environments, main, synthesise
from infra.settings import environment_names, load_environment
from tests.unit.infra.workloads import one_model


def files_of(outdir: Path) -> dict[str, bytes]:
    return {str(path.relative_to(outdir)): path.read_bytes() for path in outdir.rglob("*") if path.is_file()}


def test_the_same_files_come_out_in_another_folder(outdir: Path, tmp_path: Path) -> None:
    again = tmp_path / "deeper" / "cdktf.out"
    ci.synth.synthesise([load_environment(name) for name in environment_names()], again)
    assert files_of(again) == files_of(outdir)


def test_nothing_written_knows_where_or_when_it_was_made(outdir: Path) -> None:
    for name, content in files_of(outdir).items():
        text = content.decode()
        assert str(ROOT) not in text, name
        assert str(outdir) not in text, name
        assert not re.search(r"/(home|root|tmp|Users)/", text), name


def test_all_environments_are_chosen_unless_some_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FONDERIE_ENV", raising=False)
    assert [env.name for env in chosen_environments([])] == environment_names()
    assert [env.name for env in chosen_environments(["--env", "prod"])] == ["prod"]
    monkeypatch.setenv("FONDERIE_ENV", "local,dev")
    assert [env.name for env in chosen_environments([])] == ["local", "dev"]


def test_the_backend_can_be_local_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    prod = load_environment("prod")
    monkeypatch.delenv("FONDERIE_BACKEND", raising=False)
    assert chosen_backend(prod) == "gcs"
    monkeypatch.setenv("FONDERIE_BACKEND", "local")
    assert chosen_backend(prod) == "local"
    monkeypatch.setenv("FONDERIE_BACKEND", "s3")
    with pytest.raises(BadInputError, match="unknown backend 's3'"):
        chosen_backend(prod)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--env", "nowhere"], "unknown environment 'nowhere'"), (["prod"], "unknown arguments")],
)
def test_a_mistake_is_one_message_and_writes_nothing(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ci.synth", *arguments])
    monkeypatch.setenv("CDKTF_OUTDIR", str(tmp_path / "out"))
    assert main(one_model) == ExitCode.BAD_INPUT
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match="cannot be written"):
        synthesise([load_environment("local")], tmp_path / "file" / "out", one_model)


def test_a_stack_that_can_not_be_written_is_no_trace(tmp_path: Path) -> None:
    (tmp_path / "out" / "stacks").mkdir(parents=True)
    (tmp_path / "out" / "stacks" / "local-data").write_text("in the way")
    with pytest.raises(StepFailedError, match=r"cannot be written: .*E[A-Z]+:"):
        synthesise([load_environment("local")], tmp_path / "out", one_model)


def under(core: str, folder: Path) -> Path:
    """A copy of the app on another core: one word of `bindings.py`, and the bindings generated for that core.

    Generating them takes that core's own command line; what differs is the core's name in them, so it is replaced.
    """
    for package in ("infra", "fonderie"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "cdktf.json", folder)
    bindings = folder / "infra" / "bindings.py"
    bindings.write_text(bindings.read_text().replace('CORE = "cdktf"', f'CORE = "{core}"'))
    shutil.copytree(ROOT / "imports", folder / "imports", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (folder / "imports").rglob("*.py"):
        path.write_text(path.read_text().replace("cdktf", core))
    for archive in (folder / "imports").rglob("*.jsii.tgz"):
        _rename_in(archive, core)
    return folder


def _rename_in(archive: Path, core: str) -> None:
    with tarfile.open(archive) as packed:
        files = {member.name: packed.extractfile(member) for member in packed.getmembers() if member.isfile()}
        contents = {name: file.read() for name, file in files.items() if file}
    with tarfile.open(archive, "w:gz") as packed:
        for name, content in contents.items():
            text = content.replace(b"cdktf", core.encode()).replace(b"^0.21.0", b"^0.24.0")
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            packed.addfile(entry, BytesIO(text))


def run(command: list[str], folder: Path, outdir: Path) -> None:
    """Run `command` in `folder` as a person would, writing into `outdir`."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FONDERIE_", "CDKTF_"))}
    environment |= {"CHECKPOINT_DISABLE": "1", "DISABLE_VERSION_CHECK": "1", "CI": "1", "FORCE_COLOR": "0"}
    environment["CDKTF_OUTDIR"] = str(outdir)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def resources_of(outdir: Path) -> tuple[dict[str, Any], set[str]]:
    """Each stack's JSON without the core's version, and the versions."""
    stacks, versions = {}, set()
    for path in sorted(outdir.rglob("*.tf.json")):
        stack = json.loads(path.read_text())
        versions.add(stack["//"]["metadata"].pop("version"))
        stacks[path.parent.name] = stack
    return stacks, versions


@pytest.mark.e2e
@pytest.mark.prove(every=0)
def test_the_whole_app_comes_out_the_same_under_the_fork(outdir: Path, tmp_path: Path) -> None:
    run([sys.executable, "-m", "ci.synth"], under("cdktn", tmp_path / "app"), tmp_path / "out")

    ours, version = resources_of(outdir)
    theirs, version_of_the_fork = resources_of(tmp_path / "out")
    assert ours == theirs
    assert version == {"0.21.0"}
    assert version_of_the_fork == {metadata.version("cdktn")}


@pytest.mark.e2e
def test_the_command_line_of_cdktf_writes_the_same_files(outdir: Path, tmp_path: Path) -> None:
    cdktf = str(ROOT / "node_modules" / ".bin" / "cdktf")
    run([cdktf, "synth", "--output", str(tmp_path / "out")], ROOT, tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(outdir)
