"""What no reader may see: values marked sensitive, values that look like a secret, values under a secret's name.

`terraform show -json` prints sensitive values in clear beside a mask of the same shape. A `Masker` knows every masked
value of the plans, so that it is hidden as well where it is not marked: in another attribute, a message or a log.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from ci.preview.masking.patterns import HIDDEN, encoded_texts, is_pipeline_spec, without_patterns
from fonderie.terraform.plan import StackPlan

DEPTH = 64
SHORTEST = 6  # a masked value shorter than this is hidden where it stands alone, not inside other words
SHORTEST_ALONE = 4
SHORTEST_CHANGED = 10  # shorter ones are not looked for in capitals or as hexadecimal digits
_LONGEST_KEPT = 4_096


class _Finder:
    """Finds any of many texts in a text, in time that grows with the text alone.

    Forms are kept by their first characters and their length: at each place of a text, one look a length.
    """

    def __init__(self, forms: Iterable[str]) -> None:
        self._by_start: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for form in forms:
            self._by_start[form[:SHORTEST]][len(form)].add(form)
        self._lengths = {start: sorted(found, reverse=True) for start, found in self._by_start.items()}

    def hide(self, text: str) -> str:
        """`text` with each form in it hidden, the longest first where several begin."""
        if not self._by_start or len(text) < SHORTEST:
            return text
        parts, kept, place = [], 0, 0
        while place <= len(text) - SHORTEST:
            start = text[place : place + SHORTEST]
            length = self._length(start, text, place) if start in self._lengths else 0
            if length:
                parts += [text[kept:place], HIDDEN]
                kept = place = place + length
            else:
                place += 1
        return "".join([*parts, text[kept:]]) if parts else text

    def _length(self, start: str, text: str, place: int) -> int:
        found = self._by_start[start]
        return next((length for length in self._lengths[start] if text[place : place + length] in found[length]), 0)


class Masker:
    """Hides in any text the values that the plans mark as sensitive, and everything that looks like a secret."""

    def __init__(self, plans: Iterable[StackPlan] = (), *, known: Iterable[str] = ()) -> None:
        values = {value for plan in plans for value in _sensitive_values(plan)} | set(known)
        self._alone = frozenset(value for value in values if len(value) >= SHORTEST_ALONE)
        self._forms = _Finder(form for value in values if len(value) >= SHORTEST for form in _forms(value))
        self._told: dict[str, str] = {}

    def text(self, text: str) -> str:
        """A text, be it a value, an error or a log, with every secret hidden."""
        if text in self._alone:
            return HIDDEN
        if (known := self._told.get(text)) is not None:
            return known
        found = without_patterns(self._forms.hide(text))
        for encoded, decoded in encoded_texts(found):
            if self._forms.hide(decoded) != decoded:
                found = found.replace(encoded, HIDDEN)
        if len(text) <= _LONGEST_KEPT:
            self._told[text] = found
        return found

    def address(self, address: str) -> str:
        """An address with what is secret in its keys hidden; type and name are the configuration's own and stay."""
        base, bracket, keys = address.partition("[")
        return base + bracket + self.text(keys) if bracket else address


def _sensitive_values(plan: StackPlan) -> Iterator[str]:
    yield from (value for value in plan.variables if value)
    for value, mask in plan.elsewhere:
        if mask:
            yield from _marked(value, mask, 0)
    for change in (*plan.changes, *plan.drifted, *plan.outputs):
        for value in (change.before, change.after):
            for mask in change.mask:
                if mask:
                    yield from _marked(value, mask, 0)


def _marked(value: Any, mask: Any, depth: int) -> Iterator[str]:
    """The texts of `value` that `mask` marks."""
    if mask is True or depth > DEPTH:
        yield from _leaves(value, 0)
    elif isinstance(mask, dict) and isinstance(value, dict):
        for key, part in mask.items():
            yield from _marked(value.get(key), part, depth + 1)
    elif isinstance(mask, list) and isinstance(value, list):
        for item, part in zip(value, mask, strict=False):
            yield from _marked(item, part, depth + 1)


def _leaves(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield from _decoded_leaves(value, depth)
    elif (isinstance(value, int | float) and not isinstance(value, bool)) or depth > DEPTH:
        yield str(value)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item, depth + 1)


def _decoded_leaves(value: str, depth: int) -> Iterator[str]:
    """The strings inside a secret that is itself JSON, such as a service account's key."""
    if depth < 4 and value[:1] in "{[" and len(value) < 100_000:
        try:
            inner = json.loads(value)
        except (ValueError, RecursionError):
            return
        if not is_pipeline_spec(inner):
            yield from (leaf for leaf in _leaves(inner, depth + 1) if len(leaf) >= 12)


def _forms(value: str) -> Iterator[str]:
    """A value as it may turn up elsewhere: as it is, in JSON (also twice), in a URL, in base64, in capitals, a line."""
    yield value
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield from (once, json.dumps(once, ensure_ascii=ascii_only)[1:-1])
    if len(value) <= _LONGEST_KEPT:
        raw = value.encode("utf-8", "surrogatepass")
        yield quote(raw, safe="")
        yield base64.b64encode(raw).decode().rstrip("=")
        yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
        if len(value) >= SHORTEST_CHANGED:
            yield from (value.lower(), value.upper(), raw.hex())
    yield from (line for line in value.splitlines() if len(line) >= 16)
