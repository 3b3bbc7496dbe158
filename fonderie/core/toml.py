"""TOML files read into strict pydantic models; every error names the file, the key, the value and what would do."""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from fonderie.core.errors import BadInputError

Settings = TypeVar("Settings", bound=BaseModel)
MOST_SHOWN = 80
"""Characters of a wrong value that an error repeats."""


def near(word: str, known: list[str]) -> str:
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


def read_toml(path: Path, settings: type[Settings]) -> Settings:
    """The file as `settings`; unknown keys and wrong types are refused, all of them in one message."""
    tables = parse_toml(path)
    try:
        # Through JSON, so that strict mode takes a list for a tuple and a string for an enum, and nothing else.
        return settings.model_validate_json(json.dumps(tables, default=str), strict=True)
    except ValidationError as invalid:
        problems = [_problem(error, settings) for error in invalid.errors()]
        what = "; ".join(what for what, _ in problems)
        hint = "; ".join(dict.fromkeys(hint for _, hint in problems if hint)) or None
        raise BadInputError(what, where=path, hint=hint) from None


def _problem(error: Any, settings: type[BaseModel]) -> tuple[str, str | None]:
    """What one pydantic error says, and the hint it allows."""
    key = ".".join(str(part) for part in error["loc"]) or "the file"
    match error["type"]:
        case "extra_forbidden":
            return f"{key}: unknown key", near(str(error["loc"][-1]), _keys(settings, error["loc"][:-1]))
        case "missing":
            return f"{key}: missing", None
        case "value_error":
            reason = str(error["ctx"]["error"])
            return (f"{key}: {reason}" if error["loc"] else reason), None
        case _:
            return f"{key} = {_shown(error['input'])}: {error['msg'].lower()}", None


def _shown(value: Any) -> str:
    """The value as it is in the file, at most a line of it."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    safe = text if text.isprintable() else json.dumps(value, default=str)
    return safe if len(safe) <= MOST_SHOWN else f"{safe[:MOST_SHOWN]}…"


def _keys(settings: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """The keys of the section that `path` leads to."""
    for part in path:
        field = settings.model_fields.get(str(part))
        types = [] if field is None else [field.annotation, *get_args(field.annotation)]
        inner = [kind for kind in types if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if inner:
            settings = inner[0]
    return list(settings.model_fields)
