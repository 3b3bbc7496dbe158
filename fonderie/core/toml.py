"""TOML files read into strict pydantic models; every error names file, line, key, value and what would do."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from fonderie.core.errors import BadInputError

Settings = TypeVar("Settings", bound=BaseModel)
MOST_SHOWN = 80
"""Characters of a wrong value that an error repeats."""
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_PART = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


@dataclass(frozen=True)
class Problem:
    """A key that is refused, and why. `key` is a path, like `training.seed` or `waiver[0].reason`."""

    key: str
    value: Any
    reason: str
    hint: str | None = None

    def __str__(self) -> str:
        """Key, value and reason in a line; without the value when there is none."""
        value = "" if self.value is None else f" = {_shown(self.value)}"
        return f"{self.key}{value}: {self.reason}" if self.key else self.reason


def near(word: str, known: Sequence[str]) -> str:
    """A hint with the nearest of `known`, or with all of them when none is near."""
    close = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(sorted(known))}"


def parse_toml(path: Path) -> dict[str, Any]:
    """The file's tables. Raises BadInputError for a file that is absent, not UTF-8 or not TOML (with the line)."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"cannot be read: {error.strerror}", where=path) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"is not TOML: {error}", where=path) from None


def read_toml(path: Path, settings: type[Settings], *, hint: str | None = None, **more: Any) -> Settings:
    """The file as `settings`, with `more` beside its keys.

    Unknown keys and wrong types are refused, all of them in one message; `hint` is for those without one of their own.
    """
    return checked({**more, **parse_toml(path)}, settings, where=path, hint=hint)


def checked(
    values: Mapping[str, Any], settings: type[Settings], *, where: str | Path, hint: str | None = None
) -> Settings:
    """The values as `settings`. Raises BadInputError as `read_toml` does."""
    try:
        # Through JSON, so that strict mode takes a list for a tuple and a string for an enum, and nothing else.
        return settings.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as invalid:
        raise refusal(problems_in(invalid, settings), where=where, hint=hint) from None


def refusal(problems: Sequence[Problem], *, where: str | Path, hint: str | None = None) -> BadInputError:
    """The problems of a file, or of an option, as one error; `hint` is for those that have none of their own."""
    lines = [_line(where, problem.key) if isinstance(where, Path) else None for problem in problems]
    if len(problems) == 1:
        place = f"{where}:{lines[0]}" if lines[0] else where
        return BadInputError(str(problems[0]), where=place, hint=problems[0].hint or hint)
    told = "".join(
        f"\n  {f'line {line}: ' if line else ''}{problem}{f' ({problem.hint})' if problem.hint else ''}"
        for line, problem in zip(lines, problems, strict=True)
    )
    return BadInputError(f"{len(problems)} problems:{told}", where=where, hint=hint)


def problems_in(invalid: ValidationError, settings: type[BaseModel]) -> list[Problem]:
    """What pydantic found, in the words of the file."""
    return [_problem(error, settings) for error in invalid.errors()]


def _problem(error: Any, settings: type[BaseModel]) -> Problem:
    path = [part for part in error["loc"] if part != "[key]"]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
    match error["type"]:
        case "extra_forbidden":
            return Problem(key, None, "unknown key", near(str(path[-1]), _keys(settings, path[:-1])))
        case "missing":
            return Problem(key, None, "missing")
        case "value_error":
            # A model's own rule names its keys itself; a field's has the value that it is about.
            return Problem(
                key, None if isinstance(error["input"], dict) else error["input"], str(error["ctx"]["error"])
            )
        case "literal_error" | "enum":
            known = re.findall(r"'([^']*)'", error["ctx"]["expected"])
            return Problem(key, error["input"], "unknown value", near(str(error["input"]), known))
        case _:
            return Problem(key or "the file", error["input"], error["msg"][0].lower() + error["msg"][1:])


def _shown(value: Any) -> str:
    """The value as it is in the file, at most a line of it."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    safe = text if text.isprintable() else json.dumps(value, default=str)
    return safe if len(safe) <= MOST_SHOWN else f"{safe[:MOST_SHOWN]}…"


def _keys(settings: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys of the section that `path` leads to."""
    for part in path:
        field = settings.model_fields.get(str(part))
        settings = next(_models(field.annotation), settings) if field else settings
    return list(settings.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation, such as that of `tuple[Waiver, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _line(path: Path, key: str) -> int | None:
    """The line of a key, or of what holds it: a table's header, an element's list. None when it is not in the file."""
    wanted = re.findall(r"[^.\[\]]+", key)
    try:
        places = list(_places(path.read_text(encoding="utf-8").splitlines()))
    except OSError:
        return None
    for length in range(len(wanted), 0, -1):
        if found := [number for number, place in places if place[:length] == wanted[:length]]:
            return found[0]
    return None


def _places(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """(line number from 1, path of the table or key that begins there)."""
    table, counts, quoted = list[str](), dict[str, int](), False
    for number, line in enumerate(lines, 1):
        if not quoted and (header := _HEADER.match(line)):
            table = _parts(header[2])
            if header[1] == "[[":
                counts[header[2]] = counts.get(header[2], -1) + 1
                table.append(str(counts[header[2]]))
            yield number, table
        elif not quoted and (entry := _KEY.match(line)):
            yield number, [*table, *_parts(entry[1])]
        quoted ^= (line.count('"""') + line.count("'''")) % 2 == 1


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in _PART.findall(dotted)]
