"""Foreign text made harmless to look at: no control characters, no direction tricks, never more than its share."""

from __future__ import annotations

import json
import re

# Control, formatting (bidirectional overrides, zero width), separators, surrogates, tags: shown as escapes.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_NAMES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_MARKS = re.compile("([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{3})"
                    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")  # fmt: skip
LONGEST = 160
WHOLE = 1_000_000  # for a text that is folded later


def printable(text: str) -> str:
    """`text` on one line, in which every character can be seen; what can't is written as its escape."""
    text = _UNSEEN.sub(_escape, text)
    return text if text.isascii() else _MARKS.sub(r"\1", text)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    return _NAMES.get(char) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def quoted(text: str) -> str:
    """`text` as a JSON string that can be seen: "EU"."""
    return printable(json.dumps(text, ensure_ascii=False))


def folded(text: str, longest: int = LONGEST) -> str:
    """`text`, or its two ends and its length when it is longer than that."""
    if len(text) <= longest:
        return text
    tail = longest // 5
    return f"{text[: longest - tail - 24]} … {text[-tail:]} ({len(text):,} characters)"


def apart(one: str, other: str, longest: int = LONGEST) -> tuple[str, str]:
    """Two texts, each at most about `longest` characters, folded so that where they first differ is to be seen.

    Two that are the same when folded by their ends are cut around their first difference instead.
    """
    short = folded(one, longest), folded(other, longest)
    if one == other or max(len(one), len(other)) <= longest:
        return short
    where = next(
        (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    if where < longest - longest // 5 - 24:
        return short
    start = where - longest // 4
    return _around(one, start, longest), _around(other, start, longest)


def _around(text: str, start: int, longest: int) -> str:
    end = start + longest - 24
    return f"… {text[start:end]}{' …' if end < len(text) else ''} ({len(text):,} characters)"
