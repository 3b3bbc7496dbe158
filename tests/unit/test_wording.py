"""The English of messages, help and docstrings: no sentence that a reader has to translate back first."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("ci", "fonderie", "infra", "ml", "pipelines")
AVOIDED = {
    r"(?<!there )\b(is|are) no (?!longer\b)": "unknown engine 'foo', '2013-44' is not a valid month",
    r"\bno [a-z-]+ is called\b": "unknown model 'foo'",
    r"\b(is|are|in a \w+) already$|\bis champion already\b": "is already the champion",
    r"\bleaves with\b|^ends with [0-9]": "exits with 7",
    r"\bnobody\b": "connection refused, not reviewed, no one",
    r"\bfor machines\b": "Print JSON to stdout.",
    r"\bsay which\b": "Show the version.",
    r"\bvouch": "contains untrusted types",
    r"\bwait for each other in\b": "dependency cycle",
    r"\blistened on\b": "port 8080 is in use",
    r"^there is nothing$": "no objects under this prefix",
    r"\bbehind terraform's back\b": "outside Terraform",
    r"\bas it should be\b|\bat work here\b": "up to date, running",
    r"^see [A-Z]\w+[.:]": "say what the method returns and raises",
}
PATTERNS = {re.compile(pattern, re.IGNORECASE): instead for pattern, instead in AVOIDED.items()}


def strings(source: str) -> Iterator[tuple[int, str]]:
    """(line, text) of every string of a module, docstrings among them; what an f-string fills in is `{}`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            yield node.lineno, " ".join("".join(map(str, parts)).split())
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())


def problems(source: str) -> list[str]:
    """`line: text -> what to write instead` for every string with an avoided phrase."""
    return [
        f"{line}: {text} -> {instead}"
        for line, text in strings(source)
        for pattern, instead in PATTERNS.items()
        if pattern.search(text)
    ]


@pytest.mark.parametrize("package", PACKAGES)
def test_messages_are_in_the_english_of_the_field(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    wrong = [f"{module.relative_to(ROOT)}:{each}" for module in modules for each in problems(module.read_text("utf-8"))]
    assert modules
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "{engine!r} is no engine",
        "{number!r} is no {name}",
        "{steps!r} are no steps",
        "no model is called {name!r}",
        "version {number} is champion already",
        "Leaves with 7 when it is refused.",
        "nobody answers",
        "For machines.",
        "holds types nobody vouches for",
        "stacks wait for each other in a circle",
        "port {port} cannot be listened on",
        "there is nothing",
        "See Registry.",
    ],
)
def test_every_avoided_phrase_is_found(text: str) -> None:
    assert problems(f"engine = steps = name = number = port = 0\nf{text!r}")


@pytest.mark.parametrize(
    "text", ["there is no stack to scan", "its key is no longer in `for_each`", "unknown engine 'x'"]
)
def test_plain_messages_pass(text: str) -> None:
    assert not problems(repr(text))
