"""Every command in the documentation, in strings and in CI's files: the real command line parses it.

A block of a page that is typed into the sandbox from its first line to its last is `sh run as=IDENTITY` (`tests/road`).
"""

import ast
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from markdown_it import MarkdownIt
from typer.core import TyperCommand

from fonderie.cli.main import COMMANDS, build

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OTHER_TOOLS = {
    "bash", "cat", "cd", "cdktf", "cp", "curl", "docker", "export", "gcloud", "gh", "git", "grep", "kubectl", "mkdir",
    "mv", "open", "printf", "python", "sed", "sh", "tee", "terraform", "tofu",
}  # fmt: skip


def blocks(kind: str) -> list[tuple[str, str]]:
    """(page:line, text) of every fenced block whose info string is `kind`; of `sh`, whatever else it says."""
    found = []
    for page in PAGES:
        for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
            words = token.info.split() if token.type == "fence" else []
            if " ".join(words) == kind or words[:1] == [kind]:
                line = token.map[0] + 1 if token.map else 0
                found.append((f"{page.relative_to(ROOT)}:{line}", token.content))
    return found


def commands() -> Iterator[tuple[str, list[str]]]:
    """(place, words) of every simple command of every shell block; continued lines are joined, comments dropped."""
    for place, text in blocks("sh"):
        for line in text.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s(?:&&|\|\||\||;)\s", line):
                words = shlex.split(part, comments=True)
                while words and re.match(r"^[A-Z_]+=", words[0]):
                    words = words[1:]
                if words:
                    yield place, words


def spans() -> Iterator[tuple[str, list[str]]]:
    """(place, words) of every code span outside blocks that begins with `fonderie` or `make` and a word of theirs."""
    for page in PAGES:
        for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
            for child in token.children or []:
                if child.type == "code_inline" and re.match(r"(\.venv/bin/)?(fonderie|make) [a-z]", child.content):
                    line = token.map[0] + 1 if token.map else 0
                    yield f"{page.relative_to(ROOT)}:{line}", shlex.split(child.content)


def parse(words: list[str]) -> None:
    """Let the real command line parse `words` without running them."""
    command = typer.main.get_command(build(words))
    name, rest = "fonderie", words
    context = None
    while hasattr(command, "resolve_command"):
        context = command.make_context(name, list(rest), parent=context)
        remaining = [*context._protected_args, *context.args]
        if not remaining:
            return
        name, command, rest = command.resolve_command(context, remaining)
        assert command is not None, f"no command {name}"
    command.__class__ = TyperCommand  # not `Command`, which takes former spellings too
    command.make_context(name, list(rest), parent=context)


def mistake(words: list[str], *, whole: bool) -> str:
    """Why `words` are no command, or nothing. One that is not `whole` may lack arguments: it is only mentioned."""
    tool, rest = words[0].removeprefix(".venv/bin/"), words[1:]
    if tool == "fonderie":
        try:
            parse([word for word in rest if word not in {">", "2>&1"}])
        except Exception as error:
            missing = type(error).__name__ == "MissingParameter"  # typer has its own click, and does not export it
            return "" if missing and not whole else f"{error}"
        return ""
    if tool == "make":
        targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
        unknown = {word for word in rest if "=" not in word} - targets
        return f"make has no {', '.join(sorted(unknown))}" if unknown else ""
    return "" if tool in OTHER_TOOLS else f"unknown tool {tool}"


PACKAGES = ("ci", "fonderie", "infra", "ml", "pipelines")
MENTION = re.compile(r"`(?:\S*/)?(fonderie [^`]+)`|(?<![\w`.])(fonderie [a-z][^`\n;,(]*)")
FILLED = {"again": "--engine vertex --env dev"}  # what an f-string fills in is a word, but for these


def strings(source: str) -> Iterator[tuple[int, str, bool]]:
    """(line, text, whether it may only mention commands: a docstring, a help text) of every string of a module."""
    tree = ast.parse(source)
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "help"}
    parts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # a docstring
            prose.add(id(node.value))
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            filled = (
                part.value if isinstance(part, ast.Constant) else FILLED.get(ast.unparse(part.value), "x")
                for part in node.values
                if isinstance(part, ast.Constant | ast.FormattedValue)
            )
            yield node.lineno, "".join(map(str, filled)), id(node) in prose
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value, id(node) in prose


def named(text: str) -> Iterator[list[str]]:
    """The words of every `fonderie ...` in a text: between backticks, or up to a line's end, `;`, `,` or `(`."""
    for quoted, plain in MENTION.findall(text):
        yield shlex.split(re.sub(r"\s(&&|\|\||>).*", "", quoted or plain))


def mistakes(source: str) -> Iterator[str]:
    """`line: command: what is wrong with it` of a module's strings."""
    for line, text, prose in strings(source):
        for words in named(text):
            if reason := mistake(words, whole=not prose):
                yield f"{line}: {shlex.join(words)}: {reason}"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_command_in_a_string_exists_with_its_options_and_lacks_none(package: str) -> None:
    modules = sorted((ROOT / package).rglob("*.py"))
    wrong = [f"{module.relative_to(ROOT)}:{each}" for module in modules for each in mistakes(module.read_text("utf-8"))]
    assert modules
    assert not wrong, "\n".join(wrong)


def test_every_command_of_a_workflow_exists_with_its_options_and_lacks_none() -> None:
    names = ("*.yml", "*.yaml", "*.sh", "*.Dockerfile")
    folders = (ROOT / ".github", *(ROOT / package for package in PACKAGES))
    files = [ROOT / "Makefile", *(path for folder in folders for name in names for path in sorted(folder.rglob(name)))]
    lines = [(path, line.strip()) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    examples = [
        (path, words, not line.startswith("#"))
        for path, line in lines
        if "printf" not in line
        for words in named(re.sub(r"\S+/fonderie", "fonderie", line))
    ]
    assert sum(whole for _, _, whole in examples) > 6
    for path, words, whole in examples:
        reason = mistake(words, whole=whole)
        assert not reason, f"{path.relative_to(ROOT)}: {shlex.join(words)}: {reason}"


def test_commands_in_strings_are_found_and_the_wrong_ones_told() -> None:
    right = """
hint = f"wait: fonderie runs wait {run_id} {again}"
runbook = "`fonderie models list` has them, Fonderie is"
"""
    wrong = """
def command(out: Annotated[str, Option(help="See `fonderie report`.")]):
    "Like `fonderie data load`, or `fonderie data lode`."
    runbook = f"`fonderie models rollback --model {model}` puts the previous one back"
    hint = f"run `fonderie report` or `fonderie models rollback {model}`"
    print(f"next: fonderie run training {model} --month {month} --engin vertex, or wait")
    return "fonderie modls list"
"""
    assert len(list(itertools.chain.from_iterable(named(text) for _, text, _ in strings(right)))) == 2
    assert not list(mistakes(right))
    assert [reason.partition(":")[0] for reason in sorted(mistakes(wrong))] == ["3", "4", "5", "5", "6", "7"]


def test_every_command_of_the_documentation_exists_with_its_options() -> None:
    examples = [(place, words, True) for place, words in commands()]
    mentions = [(place, words, False) for place, words in spans()]
    assert examples
    assert mentions
    for place, words, whole in (*examples, *mentions):
        reason = mistake(words, whole=whole)
        assert not reason, f"{place}: {shlex.join(words)}: {reason}"


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("fonderie drift", True),
        ("fonderie drift --environment dev", False),
        ("fonderie models rollback --model air_time", False),
        ("fonderie apply dev --reviewed", True),
        ("fonderie model list", False),
        (".venv/bin/fonderie shrink", False),
        ("make tea", False),
        ("brew coffee", True),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, whole: bool) -> None:
    assert mistake(shlex.split(line), whole=whole)


def leaves(command: Any, path: list[str]) -> Iterator[tuple[list[str], Any]]:
    """Every command below `command` that does something, with the words that call it."""
    if hasattr(command, "commands"):
        for name, child in command.commands.items():
            yield from leaves(child, [*path, name])
    else:
        yield path, command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_has_an_example_that_the_command_line_takes(name: str) -> None:
    root = typer.main.get_command(build([name]))
    assert hasattr(root, "commands")
    for path, command in leaves(root.commands[name], [name]):
        examples = [
            token.content.splitlines()
            for token in MarkdownIt().parse(command.help or "")
            if token.type == "fence" and token.info == "console"
        ]
        assert examples, f"fonderie {shlex.join(path)} --help has no example"
        for words in map(shlex.split, itertools.chain.from_iterable(examples)):
            assert words[0] == "fonderie", words
            parse(words[1:])
        own = [
            words
            for words in map(shlex.split, itertools.chain.from_iterable(examples))
            if words[1 : len(path) + 1] == path
        ]
        assert own, f"fonderie {shlex.join(path)} --help has no example of itself"


@pytest.mark.parametrize("name", COMMANDS)
def test_no_word_of_a_help_text_is_swallowed_as_html(name: str) -> None:
    for path, command in leaves(typer.main.get_command(build([name])).commands[name], [name]):  # type: ignore[attr-defined]
        for text in [command.help or "", *(getattr(option, "help", None) or "" for option in command.params)]:
            assert not re.search(r"<\w", text), f"fonderie {shlex.join(path)} --help: {text}"


def test_every_command_says_what_it_does() -> None:
    for name, (_, line) in COMMANDS.items():
        assert len(line) > 10, name


def test_every_page_is_in_its_index() -> None:
    for index in (ROOT / "docs" / "README.md", ROOT / "docs" / "decisions" / "README.md"):
        linked = set(re.findall(r"\]\(([\w-]+\.md)\)", index.read_text(encoding="utf-8")))
        assert linked == {page.name for page in index.parent.glob("*.md")} - {"README.md"}, index
