"""What no reader may see: values marked sensitive, values that look like a secret, values under a secret's name.

`terraform show -json` prints sensitive values in clear beside a mask of the same shape. A `Masker` knows every masked
value of the plans, so that it is hidden as well where it is not marked: in another attribute, a message or a log.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from ci.preview.masking.patterns import HIDDEN, is_pipeline_spec, without_patterns
from fonderie.terraform.plan import StackPlan

DEPTH = 64
SHORTEST = 6  # a masked value shorter than this is hidden where it stands alone, not inside other words
SHORTEST_ALONE = 4


class Masker:
    """Hides in any text the values that the plans mark as sensitive, and everything that looks like a secret."""

    def __init__(self, plans: Iterable[StackPlan] = (), *, known: Iterable[str] = ()) -> None:
        plans = list(plans)
        values = {value for plan in plans for value in _sensitive_values(plan)} | set(known)
        self._alone = frozenset(value for value in values if len(value) >= SHORTEST_ALONE)
        forms = {form for value in values if len(value) >= SHORTEST for form in _forms(value)}
        seen = "\0".join(_open_texts(plans)) if plans and forms else None
        self._inside = self._pattern(form for form in forms if seen is None or form in seen)
        self._anywhere = self._pattern(forms)

    @staticmethod
    def _pattern(forms: Iterable[str]) -> re.Pattern[str] | None:
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        return re.compile("|".join(map(re.escape, ordered))) if ordered else None

    @property
    def thorough(self) -> Masker:
        """One for texts that are made of masked values too, as costs and models are: it looks for every secret."""
        found = copy.copy(self)
        found._inside = self._anywhere
        return found

    def text(self, text: str) -> str:
        """A text that stands open in the plans, with every secret hidden."""
        if text in self._alone:
            return HIDDEN
        if self._inside:
            text = self._inside.sub(HIDDEN, text)
        return without_patterns(text)

    def message(self, text: str) -> str:
        """An error or a log, which may repeat any value, with every secret hidden."""
        if self._anywhere:
            text = self._anywhere.sub(HIDDEN, text)
        return without_patterns(text)

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
    """A value as it may turn up elsewhere: as it is, in JSON, in a URL, in base64, a line of it."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    if len(value) <= 4_096:
        raw = value.encode("utf-8", "surrogatepass")
        yield quote(raw, safe="")
        yield base64.b64encode(raw).decode().rstrip("=")
        yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
    yield from (line for line in value.splitlines() if len(line) >= 16)


def _open_texts(plans: Iterable[StackPlan]) -> Iterator[str]:
    """Every text of the plans that no mask covers."""
    for plan in plans:
        for change in (*plan.changes, *plan.drifted, *plan.outputs):
            yield from (change.imported_id, change.address, change.previous_address, change.reason, change.deposed)
            yield from (change.type, change.deferred, *(str(part) for path in change.replace_paths for part in path))
            for value, mask in ((change.before, change.before_sensitive), (change.after, change.after_sensitive)):
                yield from _unmarked(value, mask, 0)


def _unmarked(value: Any, mask: Any, depth: int) -> Iterator[str]:
    if mask is True or value is None or depth > DEPTH:
        return
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _unmarked(item, mask.get(key) if isinstance(mask, dict) else None, depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            part = mask[index] if isinstance(mask, list) and index < len(mask) else None
            yield from _unmarked(item, part, depth + 1)
    elif not isinstance(value, bool):
        yield str(value)
