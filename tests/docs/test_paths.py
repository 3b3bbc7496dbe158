"""Every file and module of ours that a page or a docstring names in a code span exists."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PACKAGES = ("fonderie", "infra", "ml", "pipelines", "ci", "tests")
PAGES = sorted(page for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if page.name != "CHANGELOG.md")
PATH = re.compile(rf"(?:(?:{'|'.join(PACKAGES)}|docs)/[\w@./-]*|(?:\w+/)*\w+\.py)")
MODULE = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")
PLACEHOLDER = re.compile(r"NAME|SERVICE|ENV|MODEL|YYYY")
STATUSES = {"fonderie/preview"}  # names on a Git host, not files


@cache
def tracked() -> frozenset[PurePosixPath]:
    """Files under version control, new ones too, and their folders; relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    files = [PurePosixPath(line) for line in listed if (ROOT / line).exists()]
    return frozenset([*files, *(parent for file in files for parent in file.parents)])


@cache
def tails() -> frozenset[tuple[str, ...]]:
    """Every ending of every path, so that `planning/fields.py` and `fields.py` are found too."""
    return frozenset(path.parts[start:] for path in tracked() for start in range(len(path.parts)))


@cache
def names(module: PurePosixPath) -> frozenset[str]:
    """Every word of a module: a name of it that a page mentions is among them, or it is gone."""
    return frozenset(re.findall(r"\w+", (ROOT / module).read_text(encoding="utf-8")))


def is_there(span: str) -> bool:
    if PATH.fullmatch(span):
        return PurePosixPath(span).parts in tails()
    parts = span.split(".")
    for length in range(len(parts), 0, -1):
        folder = PurePosixPath(*parts[:length])
        for module in (folder.with_suffix(".py"), folder / "__init__.py"):
            if module in tracked():
                return set(parts[length:]) <= names(module)
    return False


def of_page(page: Path) -> Iterator[str]:
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        yield from (child.content for child in token.children or [] if child.type == "code_inline")


def of_docstrings(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from re.findall(r"`([^`\n]+)`", node.value.value)


def absent(spans: Iterator[str]) -> list[str]:
    ours = {span for span in spans if PATH.fullmatch(span) or MODULE.fullmatch(span)} - STATUSES
    return sorted(span for span in ours if not PLACEHOLDER.search(span) and not is_there(span))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_module_that_a_page_names_exists(page: Path) -> None:
    assert absent(of_page(page)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_and_module_that_a_docstring_names_exists(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    stale = {str(file.relative_to(ROOT)): spans for file in files if (spans := absent(of_docstrings(file)))}
    assert stale == {}


def test_what_does_not_exist_is_found() -> None:
    spans = ["infra/nothing.py", "nothing_at_all.py", "infra.nothing", "infra.names.nothing_here", "docs/nothing.md"]
    assert absent(iter([*spans, "infra.names.bucket", "names.py", "docs/", "ml/models/NAME.toml"])) == sorted(spans)
