"""The import contracts of pyproject.toml are kept, and each turns red for an import that breaks it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("fonderie", "infra", "ml", "pipelines", "ci")
WRONG = [
    ("imports point one way", "ml", "import fonderie.google"),
    ("imports point one way", "infra", "import pipelines.compile"),
    ("imports point one way", "pipelines", "import infra.names"),
    ("imports point one way", "fonderie.google", "import infra.settings"),
    ("imports point one way", "ci", "import fonderie.cli.main"),
    ("imports point one way", "fonderie.core", "import ml.models"),
    ("the sandbox and the Terraform runner stand on core alone", "fonderie.sandbox", "import infra.settings"),
    ("the sandbox and the Terraform runner stand on core alone", "fonderie.terraform", "import fonderie.google"),
    ("the sandbox and the Terraform runner do not know each other", "fonderie.terraform", "import fonderie.sandbox"),
    ("infra never imports ml: workloads are passed in", "infra", "import ml.models"),
    ("infra describes: it never runs Terraform", "infra", "import fonderie.terraform"),
    ("what ships in an image knows nothing of the platform's tools", "pipelines", "import fonderie.sandbox"),
    ("what ships in an image knows nothing of the platform's tools", "ml", "import fonderie.terraform"),
    ("only fonderie.google and the sandbox import Google's clients", "ml", "from google.cloud import storage"),
    ("only fonderie.google and the sandbox import Google's clients", "infra", "import google.auth"),
    ("only fonderie.google and the sandbox import Google's clients", "pipelines", "import google.api_core"),
    ("only fonderie.google and the sandbox import Google's clients", "ci", "import google.auth"),
    ("only fonderie.google and the sandbox import Google's clients", "ml", "import vertexai"),
    ("only fonderie.google and the sandbox import Google's clients", "fonderie.cli", "import google.auth"),
]


def lint(folder: Path) -> str:
    """What import-linter says of the sources in `folder`."""
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache", "--verbose"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def sources(folder: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            folder / package,
            ignore=lambda _, names: [n for n in names if Path(n).suffix not in {"", ".py"}],
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Of the sources with every wrong import planted, each in a module of its own."""
    folder = sources(tmp_path_factory.mktemp("contracts"))
    for number, (_, room, statement) in enumerate(WRONG):
        (folder / room.replace(".", "/") / f"planted_{number}.py").write_text(statement + "\n")
    return lint(folder)


def test_every_contract_is_kept() -> None:
    said = lint(ROOT)
    assert re.search(r"Contracts: (\d+) kept, 0 broken", said), said


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[f"{room}: {statement}" for _, room, statement in WRONG])
def test_a_wrong_import_turns_its_contract_red(verdict: str, number: int) -> None:
    contract, room, _ = WRONG[number]
    assert re.search(rf"^{re.escape(contract)} BROKEN", verdict, flags=re.MULTILINE)
    *_, details = verdict.partition(f"\n{contract}\n{'-' * len(contract)}\n")
    own = re.split(r"^-{10,}$", details, maxsplit=1, flags=re.MULTILINE)[0]
    assert re.search(rf"\b{re.escape(room)}\.planted_{number} -> ", own), own
