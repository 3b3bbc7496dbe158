"""From a file of an environment to the model, or to every mistake in it at once."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from fonderie.core.errors import BadInputError
from fonderie.core.toml import parse_toml
from infra.settings.environment import Environment
from infra.settings.rules import Problem, problems_of
from infra.settings.sections import Budget

ENVIRONMENTS = Path(__file__).parent.parent / "environments"


def environment_names(folder: Path = ENVIRONMENTS) -> list[str]:
    """Every environment there is a file for: the nearest to the developer first, production last."""
    order = ["local", "dev", "staging"]
    names = sorted(path.stem for path in folder.glob("*.toml"))
    return sorted(names, key=lambda name: (name.startswith("prod"), order.index(name) if name in order else 9))


def load_environment(name: str, folder: Path = ENVIRONMENTS) -> Environment:
    """Read and check `folder/name.toml`; `BadInputError` names file, key, value and reason of each mistake."""
    path = folder / f"{name}.toml"
    if name not in (known := environment_names(folder)):
        raise BadInputError(f"unknown environment {name!r}", where=folder, hint=f"there are: {', '.join(known)}")
    written = parse_toml(path)
    if "name" in written:
        raise BadInputError("an environment is named by its file", where=f"{path}: name", hint="remove the key")
    try:
        environment = Environment.model_validate({"name": name, **written})
    except ValidationError as error:
        raise _refusal(path, [_problem(entry) for entry in error.errors()]) from error
    if problems := problems_of(environment):
        raise _refusal(path, problems)
    return environment


def _refusal(path: Path, problems: list[Problem]) -> BadInputError:
    hint = "infra/environments/schema.json says what each key may hold"
    if len(problems) == 1:
        return BadInputError(problems[0].line, where=f"{path}: {problems[0].key}", hint=hint)
    lines = "".join(f"\n  {problem.key}: {problem.line}" for problem in problems)
    return BadInputError(f"{len(problems)} settings are wrong:{lines}", where=path, hint=hint)


def _problem(error: Any) -> Problem:
    """What pydantic found, in the words of the file."""
    path = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(path)
    match error["type"]:
        case "missing":
            return Problem(key, None, "is missing")
        case "extra_forbidden":
            near = difflib.get_close_matches(path[-1], _keys_beside(path), n=1)
            return Problem(key, error["input"], "unknown key" + (f"; did you mean {near[0]}?" if near else ""))
        case "value_error":
            return Problem(key, error["input"], str(error["ctx"]["error"]))
        case _:
            return Problem(key, error["input"], error["msg"][0].lower() + error["msg"][1:])


def _keys_beside(path: list[str]) -> list[str]:
    """The keys that exist where the last of `path` was written."""
    fields: dict[str, FieldInfo] = Environment.model_fields
    for part in path[:-1]:
        kind = fields[part].annotation if part in fields else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return list(Budget.model_fields) if part == "budget" else []
        fields = kind.model_fields
    return list(fields)
