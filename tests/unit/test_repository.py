"""Rules of the repository itself: what is committed, and what the documentation says."""

import re
import subprocess
from pathlib import Path

import pytest

from ci.markdown_lint import mistakes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    return [ROOT / line for line in listed if line and (ROOT / line).is_file()]


def test_every_locked_requirement_has_a_hash_and_no_file_names_a_registry() -> None:
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = lock.read_text()
        requirements = re.findall(r"^[a-zA-Z0-9][^\n]*==", text, flags=re.M)
        hashed = re.findall(r"^[a-zA-Z0-9][^\n]*==[^\n]*\\\n\s+--hash=sha256:", text, flags=re.M)
        assert requirements, lock
        assert len(requirements) == len(hashed), lock
        assert "index-url" not in text
        assert "://" not in text, lock
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_every_python_gets_the_same_versions() -> None:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    forks = [line for lock in locks for line in lock.read_text().splitlines() if re.search(r";.*\bpython_", line)]
    assert forks == []


def test_the_locks_hold_the_versions_that_traps_were_measured_on() -> None:
    text = (ROOT / "requirements" / "all.txt").read_text()
    versions = dict(re.findall(r"^([a-z0-9-]+)==([0-9.]+)", text, flags=re.M))
    assert versions["kfp"].startswith("2.17.")
    assert int(versions["duckdb"].split(".")[0]) < 2
    assert int(versions["sqlglot"].split(".")[0]) < 30
    assert versions["checkov"] >= "3.3.30"


def test_nothing_generated_and_no_machine_path_is_committed(tracked: list[Path]) -> None:
    paths = re.compile(r"(?<![\w.])/(?:home|root|Users)/[a-z]|(?<![\w./])/work/")
    for file in tracked:
        relative = file.relative_to(ROOT)
        assert relative.parts[0] not in {".venv", "node_modules", "imports", "cdktf.out", ".fonderie"}, relative
        assert file.stat().st_size < 1_500_000, f"{relative} is large: is it source?"
        if file.suffix in {".png", ".gz"} or relative == Path("tests/unit/test_repository.py"):
            continue
        found = paths.search(file.read_text(encoding="utf-8"))
        assert not found, f"{relative} holds {found and found.group()}"


def test_no_service_account_key_or_token_is_committed(tracked: list[Path]) -> None:
    secret = re.compile(r"-----BEGIN (?:RSA |EC )?PRIVATE KEY-----\\?n?[A-Za-z0-9+/]{40}|\bgh[pousr]_[A-Za-z0-9]{36}\b")
    for file in tracked:
        if file.suffix not in {".png", ".gz"}:
            assert not secret.search(file.read_text(encoding="utf-8")), file


def test_the_pages_have_no_mistakes() -> None:
    assert mistakes(ROOT) == []


PAGE = """\
# A page

| a | b |
|---|---|
| `x` \\| y | [here](#a-page) and [there](#a-page-1) |

- | a list | may |
  |---|---|
  | hold a | table |

> | so may |
> |---|
> | a quotation |

## A page
### Deeper
## Back, with `code` and [a link](other.md#the-100--version)
"""


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("| `x`", "\nA paragraph\n| `x`", "7: a row outside a table"),
        ("| `x`", "A paragraph\n| `x`", "5: row of 1, header of 2 cells"),
        ("|---|---|\n| `x`", "|---|\n| `x`", "3: a row outside a table"),
        ("| a | b |\n", "| a | b |\n\n", "3: a row outside a table"),
        ("| hold a | table |", "\n  | hold a | table", "10: a row outside a table"),
        ("`x` \\| y", "`x | y`", "5: row of 3, header of 2 cells"),
        ("| hold a | table |", "| hold a |", "9: row of 1, header of 2 cells"),
        ("| a quotation |", "| a | b |", "13: row of 2, header of 1 cells"),
        ("### Deeper", "#### Deeper", "16: heading of level 4 after level 2"),
        ("# A page\n\n|", "A page\n\n|", "5: #a-page-1: no such heading"),
        ("#a-page-1", "#a-page-2", "5: #a-page-2: no such heading"),
        ("#the-100--version", "#the-100-version", "17: other.md#the-100-version: no such heading"),
        ("other.md", "gone.md", "17: gone.md#the-100--version: no such file"),
        ("[a link](other.md#the-100--version)", "![a](../picture.png)", "17: ../picture.png: no such file"),
    ],
)
def test_a_planted_mistake_of_a_page_is_found(right: str, wrong: str, message: str, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    (tmp_path / "picture.png").touch()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    (root / "other.md").write_text("# The [100 %](page.md) version\n")
    (root / "page.md").write_text(PAGE)
    assert mistakes(root) == []

    assert PAGE.count(right) == 1
    (root / "page.md").write_text(PAGE.replace(right, wrong))

    assert f"page.md:{message}" in mistakes(root)
