"""When two different texts mean the same: the suppressions of the provider, recognised by what probing showed of them.

A fact names the probe pairs that a suppression called equal (`suppp`); each set of pairs is the mark of one function. A
suppression that called none equal depends on its surroundings: rules for those are in `fonderie/sandbox/rules`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime

Same = Callable[[str, str], bool]
"""Given the old and the new text."""


def same_case(old: str, new: str) -> bool:
    """But for upper and lower case. Members of identity pools are taken literally."""
    literal = ("principal:", "principalSet:", "principalHierarchy:")
    if old.startswith(literal) or new.startswith(literal):
        return old == new
    return old.lower() == new.lower()


def last_part(link: str) -> str:
    """The name at the end of a self link or path."""
    return link.rsplit("/", 1)[-1]


def relative(link: str) -> str | None:
    """A self link from `projects/` on; None for what is none."""
    _, found, path = link.partition("projects/")
    return path if found else None


def same_path(old: str, new: str) -> bool:
    """Self links of whatever host and version that name one resource."""
    return relative(old) is not None and relative(old) == relative(new)


def same_link_or_name(old: str, new: str) -> bool:
    """A short name and the self link that ends in it, or two self links of one resource."""
    return ("/" not in new and last_part(old) == new) or same_path(old, new)


def same_name(old: str, new: str) -> bool:
    """The last parts are equal."""
    return last_part(old) == last_part(new)


_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DAY_S = 86400.0


def duration_s(text: str, *, days: bool = False) -> float | None:
    """Seconds of a Go duration (`1h30m`, `10.0s`), with `days` of `30d` as well; None for what is none."""
    units = {**_UNIT_S, "d": _DAY_S} if days else _UNIT_S
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ms|us|µs|ns|[a-z])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text.lstrip("+-"):
        return None
    if any(unit not in units for _, unit in parts):
        return None
    return sum(float(number) * units[unit] for number, unit in parts) * (-1 if text.startswith("-") else 1)


def same_duration(old: str, new: str) -> bool:
    """`10.0s` and `10s`, `30d` and `2592000s`."""
    seconds = duration_s(old, days=True)
    return seconds is not None and seconds == duration_s(new, days=True)


def same_json(old: str, new: str) -> bool:
    """JSON texts of one value."""
    try:
        return bool(json.loads(old) == json.loads(new))
    except ValueError:
        return False


def same_cidr(old: str, new: str) -> bool:
    """A range that was asked for by its length alone: `/14`."""
    return new.startswith("/") and old.endswith(new)


def same_space(old: str, new: str) -> bool:
    """But for white space around and between words."""
    return " ".join(old.split()) == " ".join(new.split())


def same_time(old: str, new: str) -> bool:
    """RFC 3339 times of one instant, fractions of a second and zone as they may be."""
    try:
        return datetime.fromisoformat(old) == datetime.fromisoformat(new)
    except ValueError:
        return False


def same_but_trailing_slash(old: str, new: str) -> bool:
    """But for one slash at the end."""
    return old.removesuffix("/") == new.removesuffix("/")


def _project_number(old: str, new: str) -> bool:
    return _numbers_away(old) == _numbers_away(new)


def _numbers_away(link: str) -> str:
    return re.sub(r"projects/[^/]+", "projects/-", link, count=1)


def _asked_for_nothing(old: str, new: str) -> bool:
    return new == ""


def _begins_with(old: str, new: str) -> bool:
    return old.startswith(new)


def _leading_zeros(old: str, new: str) -> bool:
    return old.lstrip("0") == new.lstrip("0")


def _cannot_go_back(old: str, new: str) -> bool:
    """Once on, always on."""
    return old in ("true", "1") and new in ("", "false", "0")


# A mark is pairs that tell a function from the others; the first whose pairs are all among the fact's is taken.
_MARKS: list[tuple[frozenset[str], Same]] = [
    (frozenset({"link_name", "rel_name", "proj_number", "cidr_cidrform"}), same_name),
    (frozenset({"link_name", "rel_name"}), same_link_or_name),
    (frozenset({"link_rel", "link_link", "time_zone"}), same_space),
    (frozenset({"link_rel", "link_link"}), same_path),
    (frozenset({"dur_unit"}), same_duration),
    (frozenset({"case"}), same_case),
    (frozenset({"cidr_from_len"}), same_cidr),
    (frozenset({"json_ws"}), same_json),
    (frozenset({"space"}), same_space),
    (frozenset({"time_frac"}), same_time),
    (frozenset({"proj_number"}), _project_number),
    (frozenset({"empty_new", "version_prefix"}), _begins_with),
    (frozenset({"empty_new"}), _asked_for_nothing),
    (frozenset({"zero_empty"}), _leading_zeros),
    (frozenset({"count_one_zero"}), _cannot_go_back),
    (frozenset({"trailing_slash"}), same_but_trailing_slash),
]


def recognised(pairs: frozenset[str]) -> Same | None:
    """The function that called these pairs equal; None for one that depends on its surroundings."""
    return next((same for mark, same in _MARKS if mark <= pairs), None)


def hashed(pairs: frozenset[str], value: str) -> str:
    """What the own hash function of a set sees of a text: the same for all that a suppression calls the same."""
    match recognised(pairs):
        case None:
            return value
        case same if same is same_case:
            return value.lower()
        case same if same in (same_name, same_link_or_name, same_path):
            return last_part(value)
        case same if same is same_duration:
            seconds = duration_s(value, days=True)
            return value if seconds is None else f"{seconds}s"
        case _:
            return value
