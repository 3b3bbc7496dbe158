"""What Google fills in after a create: `provider/computed.json` says in what form, type by type and in general.

A shape is one of: `template`, `value` (as it is, templates inside it filled), `timestamp`, `milliseconds`, `etag`,
`uuid`, `digits` and `hex` (of that length), `address` (within a range), `gateway` (first host of the range another
attribute holds), `elements` (that many, each computed in its turn), `empty`. What has no shape becomes the empty
value of its type.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from fonderie.sandbox.cloud.clock import Clock
from fonderie.sandbox.lifecycle.interface import UNKNOWN, State
from fonderie.sandbox.provider.facts import PROVIDER
from fonderie.sandbox.provider.schema import CtyType

COMPUTED_FILE = PROVIDER / "computed.json"
CHANGES_ON_UPDATE = frozenset(
    {"update_time", "updated", "last_modified_time", "etag", "fingerprint", "label_fingerprint"}
)
_TEMPLATE = re.compile(r"\{([\w.]+)(?:\|(url|lower))?\}")

Shape = Mapping[str, Any]


@cache
def shapes() -> dict[str, Any]:
    """What the file holds: `types` and `general`."""
    read: dict[str, Any] = json.loads(COMPUTED_FILE.read_bytes())
    return read


@dataclass(frozen=True)
class Filler:
    """Fills one object. `seed` is its name and serial: the same object always gets the same values."""

    type: str
    seed: str
    values: Mapping[str, str]  # what templates may ask for
    clock: Clock

    def fill(self, planned: State, kind: CtyType) -> State:
        """`planned` with an invented value for everything unknown."""
        filled: State = self._walk(planned, kind, ())
        return filled

    def again(self, name: str, kind: CtyType) -> Any:
        """A new value of an attribute that changes with every update."""
        return self._made(self._shape((name,)), kind, (name,))

    def make(self, shape: Shape, path: tuple[str, ...]) -> Any:
        """An invented text of the shape, such as an e-mail address or a timestamp, for the attribute at `path`."""
        return self._made(shape, "string", path)

    def _walk(self, value: Any, kind: CtyType, path: tuple[str, ...]) -> Any:
        if value is UNKNOWN:
            return self._made(self._shape(path), kind, path)
        match value, kind:
            case dict(), ["object", inner]:
                return {name: self._walk(one, inner.get(name), (*path, name)) for name, one in value.items()}
            case dict(), ["map", inner]:
                return {name: self._walk(one, inner, path) for name, one in value.items()}
            case list(), ["list" | "set", inner]:
                return [self._walk(one, inner, path) for one in value]
        return value

    def _shape(self, path: tuple[str, ...]) -> Shape:
        known = shapes()["types"].get(self.type, {})
        general = shapes()["general"] if len(path) == 1 else {}
        if self.type in shapes()["types"] and len(path) == 1 and ".".join(path) in known:
            return dict(known[".".join(path)])
        return dict(known.get(".".join(path)) or general.get(path[-1]) or {"empty": 1})

    def _made(self, shape: Shape, kind: CtyType, path: tuple[str, ...]) -> Any:
        ((form, detail),) = shape.items()
        made: Any
        match form:
            case "template":
                made = self._text(detail)
            case "value":
                made = self._inside(detail)
            case "elements":
                return [self._walk(_unknown(kind[1]), kind[1], path) for _ in range(detail)]
            case "timestamp":
                made = self.clock.timestamp()
            case "empty":
                return empty(kind)
            case "milliseconds":
                made = self.clock.milliseconds()
            case "gateway":
                made = _gateway(self.values.get(detail, ""))
            case "address":
                made = _address(detail, self._digest(path))
            case _:
                made = self._random(form, detail, path)
        return _as(made, kind)

    def _random(self, form: str, detail: int, path: tuple[str, ...]) -> Any:
        digest = self._digest(path)
        match form:
            case "etag":
                return base64.b64encode(
                    hashlib.sha256(f"{digest}{self.clock.timestamp()}".encode()).digest()[:8]
                ).decode()
            case "uuid":
                return str(uuid.UUID(int=digest >> 128, version=4))
            case "digits":
                return str(10 ** (detail - 1) + digest % (9 * 10 ** (detail - 1)))
            case "hex":
                return f"{digest:064x}"[:detail]
        return None

    def _digest(self, path: tuple[str, ...]) -> int:
        return int(hashlib.sha256(f"{self.seed}/{'.'.join(path)}".encode()).hexdigest(), 16)

    def _text(self, template: str) -> str:
        def value(match: re.Match[str]) -> str:
            if match[1] == "timestamp":
                return self.clock.timestamp()
            text = self.values.get(match[1], "")
            if match[2] == "url":
                return text.replace("/", "%2F")
            return text.lower() if match[2] == "lower" else text

        return _TEMPLATE.sub(value, template)

    def _inside(self, value: Any) -> Any:
        match value:
            case str():
                return self._text(value)
            case list():
                return [self._inside(one) for one in value]
            case dict():
                return {key: self._inside(one) for key, one in value.items()}
        return value


def empty(kind: CtyType) -> Any:
    """What Google leaves out, as the provider's state has it."""
    match kind:
        case "string":
            return ""
        case "number":
            return 0
        case "bool":
            return False
        case ["list" | "set", _]:
            return []
        case ["map", _]:
            return {}
        case ["object", inner]:
            return {name: empty(one) for name, one in inner.items()}
    return None


def _unknown(kind: CtyType) -> Any:
    match kind:
        case ["object", inner]:
            return dict.fromkeys(inner, UNKNOWN)
    return UNKNOWN


def _as(value: Any, kind: CtyType) -> Any:
    """`value` in the type the schema wants; what does not fit becomes empty."""
    match kind, value:
        case _, None:
            return None
        case "string", str() | int() | float():
            return str(value)
        case "number", str() if value.lstrip("-").isdigit():
            return int(value)
        case "number", int() | float():
            return value
        case "bool", bool():
            return value
        case ["list" | "set", inner], list():
            return [_as(one, inner) for one in value]
        case ["map", inner], dict():
            return {key: _as(one, inner) for key, one in value.items()}
        case ["object", inner], dict():
            return {name: _as(value[name], one) if name in value else None for name, one in inner.items()}
    return empty(kind)


def _gateway(range: str) -> str:
    try:
        return str(ipaddress.ip_network(range, strict=False)[1])
    except (ValueError, IndexError):
        return ""


def _address(range: str, digest: int) -> str:
    network = ipaddress.ip_network(range)
    return str(network[digest % (network.num_addresses - 2) + 1])
