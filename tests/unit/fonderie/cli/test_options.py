"""All commands: what is an argument and what an option, former spellings, `--json` whole and alone on stdout."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from fonderie.cli import main
from fonderie.cli.main import COMMANDS, build
from fonderie.core.errors import ExitCode

FONDERIE = Path(sys.executable).with_name("fonderie")
PAGE = (Path(__file__).parents[4] / "docs" / "commands.md").read_text(encoding="utf-8")


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, child in getattr(command, "commands", {}).items():
        yield from leaves(child, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


ALL = dict(
    leaf
    for name in COMMANDS
    for leaf in leaves(typer.main.get_command(build([name])).commands[name], (name,))  # type: ignore[attr-defined]
)
WITH_JSON = {path: command for path, command in ALL.items() if any("--json" in param.opts for param in command.params)}


def names(commands: dict[tuple[str, ...], Any], kind: str) -> set[str]:
    """The names of the arguments or options of all commands, as they are typed."""
    params = [param for command in commands.values() for param in command.params if param.param_type_name == kind]
    return {word for param in params for word in (param.opts if kind == "option" else [param.name])}


def broken_rule(commands: dict[tuple[str, ...], Any]) -> set[str]:
    """Arguments that docs/commands.md does not list or lists in vain, and names that are an option as well."""
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, flags=re.M))
    arguments = names(commands, "argument")
    both = {name for name in arguments if f"--{name.replace('_', '-')}" in names(commands, "option")}
    return both | ({name.upper() for name in arguments} ^ documented)


def test_a_name_is_an_argument_everywhere_or_an_option_everywhere() -> None:
    assert len(ALL) > 40
    assert broken_rule(ALL) == set()


def test_a_model_as_an_option_and_an_environment_as_an_argument_break_the_rule() -> None:
    wrong = typer.Typer()
    wrong.command("shrink")(lambda model: None)
    wrong.command("grow")(_grow)

    assert broken_rule(ALL | dict(leaves(typer.main.get_command(wrong), ()))) == {"model", "env", "ENV"}


def _grow(env: str, model: str = "") -> None:
    """A command that turns the rule around."""


def test_options_that_several_commands_share_are_described_in_one_sentence() -> None:
    helps = defaultdict(set)
    for command in ALL.values():
        for param in command.params:
            helps[param.opts[0]].add(param.help)

    for option in ("--json", "--registry", "--engine", "--reason", "--yes", "--cloud", "--history"):
        assert len(helps[option]) == 1, (option, helps[option])


def parsed(words: list[str]) -> dict[str, Any]:
    command, context, rest = typer.main.get_command(build(words)), None, words
    name = "python -m fonderie"
    while hasattr(command, "resolve_command"):
        context = command.make_context(name, list(rest), parent=context)
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
    return dict(command.make_context(name, list(rest), parent=context).params)


@pytest.mark.parametrize(
    ("former", "today"),
    [
        ("run training --model air_time --month 2013-04", "run training air_time --month 2013-04"),
        ("run batch --month 2013-04 --model=air_time", "run batch air_time --month 2013-04"),
        ("run monitoring --model air_time --month 2013-04", "run monitoring air_time --month 2013-04"),
        ("report --model air_time", "report air_time"),
        ("predict --month 2013-05 --model air_time", "predict air_time --month 2013-05"),
        ("simulate --model air_time --from 2013-01", "simulate air_time --from 2013-01"),
        ("data estimate --model a --month 2013-04 --env dev", "data estimate a --month 2013-04 --env dev"),
        ("runs list --model air_time --last 3", "runs list air_time --last 3"),
        ("models deploy --env dev --model air_time", "models deploy air_time --env dev"),
        ("models rollback --model air_time --reason r", "models rollback air_time --reason r"),
        ("models promote air_time 2 --reason 2", "models promote air_time --version 2 --reason 2"),
        ("models promote --reason r air_time 2", "models promote air_time --version 2 --reason r"),
        ("apply dev --reviewed", "apply --env dev --reviewed"),
        ("apply --plan p-1 dev", "apply --env dev --plan p-1"),
        ("promote dev staging --dry-run", "promote --from dev --to staging --dry-run"),
    ],
)
def test_the_former_spelling_means_the_same(former: str, today: str) -> None:
    assert parsed(former.split()) == parsed(today.split())


@pytest.mark.parametrize(
    "words",
    [
        "apply dev --env prod",
        "apply dev --env=prod",
        "promote dev --from=staging --to=prod",
        "models promote air_time 2 --version=3 --reason r",
        "apply dev prod",
        "promote dev staging prod",
        "models promote air_time 2 3 --reason r",
        "run training air_time --model air_time --month 2013-04",
        "drift dev --env dev",
    ],
)
def test_one_value_too_many_is_refused(words: str) -> None:
    with pytest.raises(Exception, match="unexpected extra argument"):
        parsed(words.split())


# What no command takes for these: an unknown model, environment, file.
MARS = {"model": "mars", "run_id": "mars", "labels": "mars.parquet", "changes": "a=b"}
REQUIRED = {"month": "2013-04", "reason": "r", "version": "1", "env": "mars"}
BAD = {
    ("runs", "list"): ["--engine", "mars"],
    ("preview",): ["--against", "mars"],
    ("policy",): ["--env", "mars"],
    ("check",): ["mars"],
    ("sandbox", "show"): ["--cloud", "mars.sqlite"],
    ("sandbox", "faults"): ["--rate", "mars"],
}


def bad(path: tuple[str, ...]) -> list[str]:
    """Words for the command that it has to refuse."""
    if path in BAD:
        return [*path, *BAD[path]]
    params = {param.name: param for param in WITH_JSON[path].params}
    options = [name for name in REQUIRED if name in params and (params[name].required or name == "env")]
    arguments = [value for name, value in MARS.items() if name in params]
    return [*path, *arguments, *(word for name in options for word in (f"--{name}", REQUIRED[name]))]


def run(words: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["fonderie", *words])
    with pytest.raises(SystemExit) as end:
        main.main()
    return int(str(end.value.code))


@pytest.mark.parametrize("path", WITH_JSON, ids=" ".join)
def test_a_bad_input_is_one_object_on_stdout_and_exits_with_its_code(
    path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("FONDERIE_HOME", str(tmp_path))
    code = run([*bad(path), "--json"], monkeypatch)
    error = json.loads(capfd.readouterr().out)

    assert code == error["exit_code"] == (ExitCode.BAD_DATA if path == ("canary", "label") else ExitCode.BAD_INPUT)
    assert set(error) == {"error", "what", "where", "hint", "exit_code"}


@pytest.mark.parametrize(
    "words",
    [
        "models list",
        "runs list",
        "data months",
        "check",
        "infra show --env local",
        "infra access --env local",
        "sandbox faults --seed 7",
    ],
)
def test_a_result_is_one_document_and_alone_on_stdout(words: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [FONDERIE, *words.split(), "--json"],
        env=os.environ | {"FONDERIE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == ExitCode.OK, done.stderr
    assert isinstance(json.loads(done.stdout), list | dict)


def test_json_after_two_dashes_is_another_commands(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    schema = ["--schema", str(tmp_path / "none.json")]
    code = run(["sandbox", "run", *schema, "--unknown", "--", "true", "--json"], monkeypatch)

    assert code != ExitCode.OK
    assert capfd.readouterr().out == ""


def test_a_table_in_a_pipe_names_its_group_in_every_row() -> None:
    done = subprocess.run([FONDERIE, "infra", "access"], capture_output=True, text=True, check=False, timeout=120)
    header, *rows = [line.split("\t") for line in done.stdout.splitlines()]

    assert header == ["identity", "role", "on", "only if"]
    assert len(rows) > 50
    assert all(len(row) == 4 and row[0] for row in rows)


def test_the_page_lists_every_exit_code() -> None:
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, flags=re.M)} == {int(code) for code in ExitCode}
