"""What a validator accepts, told from the probes it took and refused.

Where a fact has no list, pattern or range, it has two lists of probe texts: accepted and rejected. A validator is one
of the formats below: the one that splits the probes in the same way.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from fonderie.sandbox.planning.equivalence import duration_s
from fonderie.sandbox.provider.facts import Values


@dataclass(frozen=True)
class Format:
    """A kind of text, and what is said of one that is not of it: `{name}` and `{value}` are filled in."""

    accepts: Callable[[str], bool]
    complaint: str


def _matching(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


def _json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _json_list(text: str) -> bool:
    return _json(text) and isinstance(json.loads(text), list)


def _range(text: str) -> bool:
    try:
        return "/" in text and ipaddress.ip_network(text, strict=False) is not None
    except ValueError:
        return False


def _time(text: str) -> bool:
    try:
        return "T" in text and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _or_empty(accepts: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda text: text == "" or accepts(text)


_JSON = "{name} contains an invalid JSON: {value}"
_CIDR = "expected {name} to be a valid IPv4 Value, got {value}: invalid CIDR address: {value}"
_PATTERN = "{name} ({value}) doesn't match regexp {pattern}"
_MEMBER = r"[^:]+:.+|all(Authenticated)?Users|project(Owners|Readers|Writers)"
_FORMATS = [
    Format(_or_empty(_json), _JSON),
    Format(_json, _JSON),
    Format(_or_empty(_json_list), _JSON + ": JSON is not an array"),
    Format(_json_list, _JSON + ": JSON is not an array"),
    Format(_range, _CIDR),
    Format(_or_empty(_range), _CIDR),
    Format(_time, "{name} is not a valid RFC3339 time: {value}"),
    Format(lambda text: duration_s(text) is not None, "cannot parse {name} as a duration: {value}"),
    Format(_base64, "{name} must be base64 encoded: {value}"),
    Format(_matching(_MEMBER), "invalid value for {name} ({value}): terraform expects a value of `type:id`"),
    Format(_matching(r".*\..*"), "expected {name} to be a domain, like serviceName.googleapis.com, got {value}"),
    *(
        Format(_matching(pattern), _PATTERN.replace("{pattern}", f"^{pattern}$"))
        for pattern in (
            r"[-a-z0-9]+",  # from the lenient to the strict: no more is refused than was seen
            r"[a-z][-a-z0-9]*",
            r"[a-z]([-a-z0-9]*[a-z0-9])?",
            r"[0-9A-Za-z_]+",
            r"[-0-9A-Za-z_]+",
            r"[a-z0-9]([-a-z0-9]*[a-z0-9])?",
            r"[a-zA-Z0-9]([-_.a-zA-Z0-9]*[a-zA-Z0-9])?",
            r"[a-z_][a-z0-9_]*",
            r"[A-Z_]+",
        )
    ),
]


def recognised(values: Values) -> Format | None:
    """The format that takes and refuses the same probes; None where no probe was taken, or none of these does."""
    return _recognised(tuple(values.accepted), tuple(values.rejected), values.length)


@cache
def _recognised(accepted: tuple[str, ...], rejected: tuple[str, ...], length: tuple[int, int] | None) -> Format | None:
    if not accepted:
        return None
    told = [one for one in rejected if length is None or within(one, length)]  # the others say nothing of the format
    for one in _FORMATS:
        if all(map(one.accepts, accepted)) and not any(map(one.accepts, told)):
            return one
    return None


def within(text: str, length: tuple[int, int]) -> bool:
    """Whether the length of `text` is in the range; -1 means no upper end."""
    least, most = length
    return least <= len(text) and (most < 0 or len(text) <= most)
