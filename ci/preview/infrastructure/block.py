"""Values of a resource read by a dotted path, through blocks that occur once or often."""

from __future__ import annotations

import re
from typing import Any

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def every(value: Any, path: str) -> list[Any]:
    """Every value at a path, through each element of a list and of one at its end; what is empty is left out."""
    found = [value]
    for part in path.split("."):
        found = [item.get(part) for one in found for item in _elements(one) if isinstance(item, dict)]
    return [item for one in found for item in _elements(one) if item not in (None, "", {}, [])]


def _elements(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def at(value: Any, path: str, default: Any = None) -> Any:
    """The value at a path, through the first of a block that occurs often; `default` for null and an empty text."""
    for part in path.split("."):
        value = (value[0] if value else None) if isinstance(value, list) else value
        value = value.get(part) if isinstance(value, dict) else None
    return default if value in (None, "") else value


def known_later(unknown: Any, path: str) -> bool:
    """Whether the value at a path is known only after the apply."""
    for part in path.split("."):
        if unknown is True:
            return True
        unknown = unknown[0] if isinstance(unknown, list) and unknown else unknown
        unknown = unknown.get(part) if isinstance(unknown, dict) else None
    return unknown is True


def true(value: Any) -> bool:
    """True, also as a text of the API."""
    return value is True or str(value).lower() in ("true", "enabled")


def number(value: Any) -> float | None:
    """A number, also as text, or a duration in seconds (`600s`, `1h30m`); None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    text = str(value).strip()
    if re.fullmatch(r"-?\d{1,18}(\.\d{1,9})?", text):
        return float(text)
    parts = re.findall(r"(\d{1,12}(?:\.\d{1,9})?)([smhd])", text)
    if parts and "".join(f"{amount}{unit}" for amount, unit in parts) == text:
        return sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    return None
