"""What we know of Terraform's resource types: `resource_types.toml`, one row a type, as typed values."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from fonderie.core.errors import BadInputError

TABLE = Path(__file__).with_suffix(".toml")
PREFIX = "google_"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """One row. A path of an argument has dots: `encryption.default_kms_key_name`."""

    name: str  # Terraform's: google_storage_bucket
    in_use: bool = False  # by the stacks: it has bindings and a schema
    word: str = ""  # as people call it: bucket; without one, the name without its prefix
    written: str = ""  # when not by who applies: by `bootstrap` alone, or `nobody`, for no stack has one
    holds: str = ""  # what is lost with it, and what neither a new one nor a deploy brings back
    identity: str = ""  # what else a new one of the same name does not get back: an address, an id that is blocked
    protected_by: Mapping[str, str | bool] = field(default_factory=dict)  # arguments that refuse its destroy
    takes_along: str = ""  # the argument with which a destroy takes its contents, or what else uses it
    contents: str = ""  # what refuses its destroy without `takes_along`: objects
    permanent: bool = False  # Google gives its name back late or never: it has prevent_destroy everywhere
    import_id: str = ""  # it outlives its destroy and is imported by this id, made of its arguments
    children: Mapping[str, str] = field(default_factory=dict)  # beginning of inner types -> their argument for it
    key: str = ""  # where it names a customer's key
    always_keyed: bool = False  # in every environment, not only where the settings ask for keys
    labels: str = ""  # where its labels are, when the provider's default labels do not reach it
    runs_as: str = ""  # where it names its service account; without it Google takes a default account
    iam_target: str = ""  # the argument of its `..._iam_member` that names it
    usage: str = ""  # what it is billed for by use, which a plan does not know
    free: bool = False  # nothing to pay for by itself
    known: bool = True  # it has a row; what has none may hold anything

    @property
    def lost(self) -> str:
        """What its destroy loses, in words; empty when a new one is as good.

        A type that is not known may hold anything: only what a row or a pattern says is stateless counts as that.
        """
        return self.holds or self.identity or ("" if self.known else "whatever it holds: a type that is not known here")


_NOT_KEYS = ("name", "in_use", "known")
_KINDS = {column.name: str(column.type) for column in fields(ResourceType) if column.name not in _NOT_KEYS}
# Types that hold nothing by themselves, whoever makes them: grants, links between two others, and what only computes.
_STATELESS = re.compile(
    r"\w+_iam_(member|binding|policy|audit_config|custom_role)|\w+_(attachment|binding|membership|peering|rule|rules)"
    r"|terraform_data|null_resource|time_\w+|output"
)


def _value(kind: str, value: Any) -> Any:
    """The TOML value as a field's. Raises TypeError for a value of another type."""
    match value:
        case bool() if kind == "bool":
            return value
        case str() if kind == "str":
            return value
        case dict() if kind.startswith("Mapping") and all(isinstance(item, str | bool) for item in value.values()):
            return value
    raise TypeError(kind)


def _row(name: str, keys: Any, *, in_use: bool, where: Path) -> ResourceType:
    """A row of the file. Raises BadInputError naming the key."""
    if not isinstance(keys, dict) or (not in_use and "written" in keys):
        hint = "a table of keys; only types in use have `written`"
        raise BadInputError("not a row of this table", where=f"{where}: {name}", hint=hint)
    values: dict[str, Any] = {}
    for key, value in keys.items():
        if key not in _KINDS:
            raise BadInputError("unknown key", where=f"{where}: {name}.{key}", hint=f"known: {', '.join(_KINDS)}")
        try:
            values[key] = _value(_KINDS[key], value)
        except TypeError as error:
            raise BadInputError(f"is {value!r}, not {error}", where=f"{where}: {name}.{key}") from error
    values.setdefault("word", name.removeprefix(PREFIX).replace("_", " "))
    return ResourceType(name, in_use, **values)


def read_table(path: Path) -> Mapping[str, ResourceType]:
    """The rows of the file at `path` by type, in its order. Raises BadInputError for anything it does not know."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInputError(f"not a table of resource types: {error}", where=path) from error
    if unknown := tables.keys() - {"in_use", "others"}:
        raise BadInputError(f"unknown table {', '.join(sorted(unknown))}", where=path, hint="known: in_use, others")
    used, others = tables.get("in_use", {}), tables.get("others", {})
    if twice := used.keys() & others.keys():
        raise BadInputError(f"two rows of {', '.join(sorted(twice))}", where=path)
    rows = [_row(name, keys, in_use=True, where=path) for name, keys in used.items()]
    rows += [_row(name, keys, in_use=False, where=path) for name, keys in others.items()]
    return {row.name: row for row in rows}


@functools.cache
def resource_types() -> Mapping[str, ResourceType]:
    """Every row by type, parents before what lies in them."""
    return read_table(TABLE)


def resource_type(name: str) -> ResourceType:
    """The row of a type; for one that has none, a row that says how it is called, and whether it may hold something."""
    word = name.removeprefix(PREFIX).replace("_", " ")
    known = _STATELESS.fullmatch(name) is not None
    return resource_types().get(name) or ResourceType(name, word=word, known=known)


def types_in_use() -> list[str]:
    """The types that the stacks use, sorted: those of the bindings and of the cut schema."""
    return sorted(row.name for row in resource_types().values() if row.in_use)
