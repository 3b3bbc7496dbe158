"""Google's own discovery documents: which requests an API takes, and what is wrong with one that it does not.

The documents come with google-api-python-client. A request that no method takes is a 404, an unknown query parameter or
field, a wrong type or a value outside an enum is a 400 in Google's words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import googleapiclient

DOCUMENTS = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
INTEGER = {"int32", "uint32", "int64", "uint64", "integer"}


class RejectedError(Exception):
    """A request that Google would not take. `facts` are the metadata of google.rpc.ErrorInfo, if there is any."""

    def __init__(self, status: int, reason: str, message: str, facts: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.facts = status, reason, message, facts


@dataclass(frozen=True)
class Call:
    """A request that matched a method: its id, the parameters of its path, and its query.

    `caller` is who makes it (`fonderie.sandbox.iam.caller.Caller`); None where no token is asked for.
    """

    method: str
    path: dict[str, str]
    query: dict[str, str]
    body: dict[str, Any]
    answer: dict[str, Any] | None = None  # the schema of what is answered
    media: bytes = b""
    media_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    caller: Any = None

    @property
    def name(self) -> str:
        """The resource that an API of today names in its path: the parameter that holds a whole path."""
        return next((value for value in self.path.values() if "/" in value), next(iter(self.path.values()), ""))


def _template(path: str) -> re.Pattern[str]:
    """`v1/{+parent}/models:upload` as a pattern; a `+` parameter may hold slashes."""
    parts = re.split(r"\{(\+?)(\w+)\}", path)
    pattern = re.escape(parts[0])
    for plus, name, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        pattern += f"(?P<{name}>{'.+?' if plus else '[^/]+?'})" + re.escape(literal)
    return re.compile(f"^{pattern}$")


def _literals(path: str) -> str:
    """What of a path is not a parameter: of two that match, the longer is meant (`{+name}:cancel`, not `{+name}`)."""
    return re.sub(r"\{.*?\}", "", path)


class Service:
    """One API of one version; `service()` keeps those that were read."""

    def __init__(self, name: str, version: str) -> None:
        self.document = json.loads((DOCUMENTS / f"{name}.{version}.json").read_text())
        self.prefix = self.document["servicePath"]
        by_literals = sorted(self._walk(self.document), key=lambda method: len(_literals(method["path"])), reverse=True)
        self.methods = [(method, _template(method["path"]), self._pattern_of(method)) for method in by_literals]

    def _walk(self, resources: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = list(resources.get("methods", {}).values())
        for inner in resources.get("resources", {}).values():
            found += self._walk(inner)
        return found

    @staticmethod
    def _pattern_of(method: dict[str, Any]) -> dict[str, re.Pattern[str]]:
        parameters = method.get("parameters", {}).items()
        return {name: re.compile(value["pattern"]) for name, value in parameters if "pattern" in value}

    def match(self, verb: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Call:
        """The call that a request makes, its query and body checked."""
        path = path.removeprefix("/").removeprefix("resumable/").removeprefix("upload/").removeprefix("download/")
        path = path.removeprefix(self.prefix)
        for method, template, patterns in self.methods:
            found = template.match(path) if method["httpMethod"] == verb else None
            if found is None:
                continue
            values = {name: unquote(value) for name, value in found.groupdict().items()}
            if all(patterns[name].match(value) for name, value in values.items() if name in patterns):
                self._check_query(method, query)
                if "request" in method:
                    self.check(method["request"], body, "")
                    if mask := query.get("updateMask"):
                        self.check_mask(method["request"], mask)
                elif body:
                    raise RejectedError(400, "INVALID_ARGUMENT", f"{method['id']} takes no body")
                return Call(method["id"], values, query, body, method.get("response"))
        raise RejectedError(404, "NOT_FOUND", f"The requested URL {path} was not found on this server.")

    def _check_query(self, method: dict[str, Any], query: dict[str, str]) -> None:
        known = method.get("parameters", {}) | self.document["parameters"]
        for name, parameter in method.get("parameters", {}).items():
            if parameter.get("required") and parameter["location"] == "query" and name not in query:
                raise RejectedError(400, "required", f"Required parameter: {name}")
        for name in query:
            if name.removeprefix("$") not in known and name not in known and name not in {"uploadType", "upload_id"}:
                raise RejectedError(
                    400,
                    "INVALID_ARGUMENT",
                    f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query parameter.',
                )

    def check_mask(self, schema: dict[str, Any], mask: str) -> None:
        """Raise what Google says of an update mask that names a field which the resource does not have."""
        for path in filter(None, mask.split(",")):
            inner: dict[str, Any] = schema
            for word in path.strip().split("."):
                inner = self.document["schemas"][inner["$ref"]] if "$ref" in inner else inner
                if word == "*" or "additionalProperties" in inner:
                    break
                known = inner.get("properties", {})
                if _camel(word) not in known:
                    raise RejectedError(400, "INVALID_ARGUMENT", f"Invalid field in update mask: {path.strip()}")
                inner = known[_camel(word)]

    def check(self, schema: dict[str, Any], value: Any, place: str) -> None:
        """Raise what Google says of `value` if it is not of `schema`."""
        if "$ref" in schema:
            schema = self.document["schemas"][schema["$ref"]]
        match schema.get("type"):
            case "object":
                self._check_object(schema, value, place)
            case "array":
                if not isinstance(value, list):
                    raise _invalid(place, value, "a list")
                for at, inner in enumerate(value):
                    self.check(schema["items"], inner, f"{place}[{at}]")
            case "any" | None:
                return
            case scalar:
                _check_scalar(schema, scalar, value, place)

    def _check_object(self, schema: dict[str, Any], value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise _invalid(place, value, "an object")
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for name, inner in value.items():
            known = properties.get(name) or properties.get(_camel(name)) or others
            if known is None:
                raise RejectedError(
                    400,
                    "INVALID_ARGUMENT",
                    f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot find field.",
                )
            if inner is not None:  # null is the same as absent
                self.check(known, inner, f"{place}.{name}".lstrip("."))


@cache
def service(name: str, version: str) -> Service:
    """The API of that name and version. Raises FileNotFoundError for one that Google does not have."""
    return Service(name, version)


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def _invalid(place: str, value: Any, wanted: str) -> RejectedError:
    shown = json.dumps(value)[:80]
    return RejectedError(400, "INVALID_ARGUMENT", f"Invalid value at '{place}' ({wanted}), {shown}")


def _check_scalar(schema: dict[str, Any], kind: str, value: Any, place: str) -> None:
    numeric = kind in {"integer", "number"} or schema.get("format") in INTEGER
    if "enum" in schema and not isinstance(value, int) and value not in schema["enum"]:
        raise _invalid(place, value, "an enum")
    if kind == "boolean" and not isinstance(value, bool):
        raise _invalid(place, value, "TYPE_BOOL")
    if kind == "string" and not isinstance(value, str) and "enum" not in schema and not numeric:
        raise _invalid(place, value, "TYPE_STRING")
    if numeric and (isinstance(value, bool) or not re.fullmatch(r"-?[\d.eE+-]+", str(value))):
        raise _invalid(place, value, "TYPE_INT64" if kind != "number" else "TYPE_DOUBLE")
